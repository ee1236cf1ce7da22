package alipay

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	sdk "github.com/smartwalle/alipay/v3"
)

// The gateway in the eyes of a client that we did not write.
func judge(t *testing.T, s *shop) *sdk.Client {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CA())
	block, _ := pem.Decode(s.AppPrivateKeyPEM())
	c, err := sdk.New(s.AppID(), string(pem.EncodeToMemory(block)), false,
		sdk.WithSandboxGateway(s.url), sdk.WithTimeLocation(shanghai),
		sdk.WithHTTPClient(&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.LoadAliPayPublicKey(string(s.PublicKeyPEM())); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestForeignClient(t *testing.T) {
	s := newShop(t)
	c := judge(t, s)
	ctx := context.Background()
	code, err := s.NewCode("huabei-good")
	if err != nil {
		t.Fatal(err)
	}
	pay := sdk.TradePay{Scene: "bar_code", AuthCode: code}
	pay.OutTradeNo, pay.TotalAmount, pay.Subject, pay.ProductCode = "J1", "1000.00", "测试商品", "FACE_TO_FACE_PAYMENT"
	pay.EnablePayChannels = "pcreditpayInstallment"
	pay.ExtendParams = &sdk.ExtendParams{HBFQNum: "12", HBFQSellerPercent: "0"}
	r, err := c.TradePay(ctx, pay)
	if err != nil || r.Code != "10000" || r.OutTradeNo != "J1" || r.TotalAmount != "1000.00" || len(r.FundBillList) != 1 || r.FundBillList[0].FundChannel != "PCREDIT" {
		t.Fatalf("%+v, %v", r, err)
	}
	if l := s.Ledger()[0]; l.Fee != 7500 || l.BuyerTotal != 107500 || l.SellerNet != 100000 || l.Periods != 12 {
		t.Errorf("%+v", l)
	}
	q, err := c.TradeQuery(ctx, sdk.TradeQuery{OutTradeNo: "J1"})
	if err != nil || q.TradeStatus != sdk.TradeStatusSuccess || q.TradeNo != r.TradeNo || q.HBFQPayInfo == nil || q.HBFQPayInfo.UserInstallNum != "12" || q.SendPayDate == "" {
		t.Errorf("%+v, %v", q, err)
	}

	refund := sdk.TradeRefund{OutTradeNo: "J1", RefundAmount: "400.00", OutRequestNo: "R1"}
	for i, want := range []string{"Y", "N"} { // the repeat changes nothing
		f, err := c.TradeRefund(ctx, refund)
		if err != nil || f.FundChange != want || f.RefundFee != "400.00" || s.held() != 60000 {
			t.Errorf("refund %d: %+v, %v, held %d", i, f, err, s.held())
		}
	}
	fq := sdk.TradeFastPayRefundQuery{OutTradeNo: "J1", OutRequestNo: "R1"}
	if f, err := c.TradeFastPayRefundQuery(ctx, fq); err != nil || f.RefundStatus != "REFUND_SUCCESS" || f.RefundAmount != "400.00" {
		t.Errorf("%+v, %v", f, err)
	}
	for _, x := range []struct{ amount, id, want string }{
		{"300.00", "R1", "ACQ.DISCORDANT_REPEAT_REQUEST"},
		{"600.01", "R2", "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"},
		{"0.00", "R3", "ACQ.INVALID_PARAMETER"},
	} {
		if f, err := c.TradeRefund(ctx, sdk.TradeRefund{OutTradeNo: "J1", RefundAmount: x.amount, OutRequestNo: x.id}); err != nil || f.SubCode != x.want {
			t.Errorf("refund %s %s: %+v, %v", x.id, x.amount, f, err)
		}
	}
	x, err := c.TradeCancel(ctx, sdk.TradeCancel{OutTradeNo: "J1"})
	if err != nil || x.Action != "refund" || x.RetryFlag != "N" || s.held() != 0 {
		t.Errorf("%+v, %v", x, err)
	}
	if p := s.Phones()[0]; p.HuabeiCredit != 2_000_000 {
		t.Errorf("the buyer did not get all back: %+v", p)
	}

	pre := sdk.TradePreCreate{}
	pre.OutTradeNo, pre.TotalAmount, pre.Subject, pre.ProductCode = "J2", "0.01", "测试商品", "FACE_TO_FACE_PAYMENT"
	p, err := c.TradePreCreate(ctx, pre)
	if err != nil || p.Code != "10000" || !strings.HasPrefix(p.QRCode, "https://qr.alipay.com/") {
		t.Fatalf("%+v, %v", p, err)
	}
	if q, err := c.TradeQuery(ctx, sdk.TradeQuery{OutTradeNo: "J2"}); err != nil || q.SubCode != "ACQ.TRADE_NOT_EXIST" {
		t.Errorf("%+v, %v", q, err)
	}
	if err := s.ScanQR("no-huabei", p.QRCode); err != nil {
		t.Fatal(err)
	}
	if q, err := c.TradeQuery(ctx, sdk.TradeQuery{OutTradeNo: "J2"}); err != nil || q.TradeStatus != sdk.TradeStatusSuccess || q.FundBillList[0].FundChannel != "ALIPAYACCOUNT" {
		t.Errorf("%+v, %v", q, err)
	}

	s.fault("bad-signature:query")
	if q, err := c.TradeQuery(ctx, sdk.TradeQuery{OutTradeNo: "J2"}); err == nil {
		t.Errorf("the foreign client does not see the bad signature: %+v", q)
	}
}

func TestParameterRules(t *testing.T) {
	s := newShop(t)
	c := judge(t, s)
	n := 0
	ask := func(change func(biz map[string]any)) string {
		t.Helper()
		n++
		code, err := s.NewCode("huabei-good")
		if err != nil {
			t.Fatal(err)
		}
		biz := map[string]any{"out_trade_no": "P" + strings.Repeat("x", n), "total_amount": "100.00", "subject": "a", "scene": "bar_code", "auth_code": code}
		change(biz)
		p := sdk.NewPayload("alipay.trade.pay")
		for k, v := range biz {
			p.AddBizField(k, v)
		}
		var r sdk.TradePayRsp
		if err := c.Request(context.Background(), p, &r); err != nil {
			t.Fatal(err)
		}
		if r.Code == "10000" {
			return ""
		}
		return r.SubCode
	}
	set := func(k string, v any) func(map[string]any) { return func(m map[string]any) { m[k] = v } }
	plan := func(n, percent string) func(map[string]any) {
		return set("extend_params", map[string]string{"hb_fq_num": n, "hb_fq_seller_percent": percent})
	}
	for name, x := range map[string]struct {
		change func(map[string]any)
		want   string
	}{
		"plain":                  {func(map[string]any) {}, ""},
		"3 by the buyer":         {plan("3", "0"), ""},
		"12 by the seller":       {plan("12", "100"), ""},
		"period alone":           {plan("3", ""), "ACQ.INVALID_PARAMETER"},
		"percent alone":          {plan("", "100"), "ACQ.INVALID_PARAMETER"},
		"4 periods":              {plan("4", "0"), "ACQ.INVALID_PARAMETER"},
		"half of the fee":        {plan("3", "50"), "ACQ.INVALID_PARAMETER"},
		"period with zero":       {plan("03", "0"), "ACQ.INVALID_PARAMETER"},
		"periods as a number":    {set("extend_params", map[string]any{"hb_fq_num": 3, "hb_fq_seller_percent": "0"}), "isv.invalid-parameter"},
		"plan without channel":   {func(m map[string]any) { plan("3", "0")(m); m["enable_pay_channels"] = "balance" }, "ACQ.INVALID_PARAMETER"},
		"plan and credit barred": {func(m map[string]any) { plan("3", "0")(m); m["disable_pay_channels"] = "credit_group" }, "ACQ.INVALID_PARAMETER"},
		"plan for virtual goods": {func(m map[string]any) { plan("3", "0")(m); m["goods_type"] = "0" }, "ACQ.INVALID_PARAMETER"},
		"Huabei in full":         {set("enable_pay_channels", "pcredit"), ""},
		"both lists":             {func(m map[string]any) { m["enable_pay_channels"] = "pcredit"; m["disable_pay_channels"] = "balance" }, "ACQ.INVALID_PARAMETER"},
		"a channel of nobody":    {set("enable_pay_channels", "gold"), "ACQ.INVALID_PARAMETER"},
		"nothing that can pay":   {set("enable_pay_channels", "coupon"), "ACQ.NO_PAYMENT_INSTRUMENTS_AVAILABLE"},
		"amount zero":            {set("total_amount", "0.00"), "ACQ.INVALID_PARAMETER"},
		"amount with three":      {set("total_amount", "1.001"), "ACQ.INVALID_PARAMETER"},
		"amount as exponent":     {set("total_amount", "1e3"), "ACQ.INVALID_PARAMETER"},
		"amount too large":       {set("total_amount", "100000000.01"), "ACQ.TOTAL_FEE_EXCEED"},
		"amount as a number":     {set("total_amount", 100), "isv.invalid-parameter"},
		"subject with &":         {set("subject", "a&b"), "ACQ.INVALID_PARAMETER"},
		"scene":                  {set("scene", "wave"), "ACQ.INVALID_PARAMETER"},
		"number":                 {set("out_trade_no", "a-b"), "ACQ.INVALID_PARAMETER"},
		"code unknown":           {set("auth_code", "280000000000000000"), "ACQ.PAYMENT_AUTH_CODE_INVALID"},
		"time":                   {set("timeout_express", "0m"), "ACQ.INVALID_PARAMETER"},
	} {
		if got := ask(x.change); got != x.want {
			t.Errorf("%s: %q, want %q", name, got, x.want)
		}
	}
}

func TestFeeVectors(t *testing.T) {
	for _, v := range [][3]int64{{100000, 23000, 2300}, {100000, 45000, 4500}, {100000, 75000, 7500}, {10050, 23000, 231}, {500, 45000, 22}, {700, 45000, 32}, {1, 500000, 0}, {3, 500000, 2}} {
		if got := fee(v[0], v[1]); got != v[2] {
			t.Errorf("fee(%d, %d) = %d, want %d", v[0], v[1], got, v[2])
		}
	}
}

// A request that was signed with openssl, and what must not pass.
func TestRequestSignature(t *testing.T) {
	form, err := os.ReadFile("testdata/query_form.txt")
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile("testdata/app_public.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(key)
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 30, 0, shanghai)
	g := New(Options{
		Clock: func() time.Time { return at },
		Keys:  &Keys{App: &rsa.PrivateKey{PublicKey: *pub.(*rsa.PublicKey)}, Platform: testKeys().Platform},
	})
	send := func(body string) string {
		w := httptest.NewRecorder()
		g.handle(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
		b, _ := io.ReadAll(w.Result().Body)
		return string(b)
	}
	good := string(form)
	if a := send(good); !strings.Contains(a, "ACQ.TRADE_NOT_EXIST") {
		t.Fatalf("openssl's signature is not accepted: %s", a)
	}
	for name, x := range map[string]struct{ from, to, want string }{
		"content":     {"T0001", "T0002", "isv.invalid-signature"},
		"signature":   {"sign=k", "sign=l", "isv.invalid-signature"},
		"no sign":     {"&sign=", "&sing=", "isv.missing-signature"},
		"added":       {"&charset", "&app_auth_token=x&charset", "isv.invalid-signature"},
		"twice":       {"&charset=utf-8", "&charset=utf-8&charset=utf-8", "isv.invalid-parameter"},
		"sign type":   {"sign_type=RSA2", "sign_type=RSA", "isv.invalid-signature-type"},
		"application": {"app_id=9", "app_id=8", "isv.invalid-app-id"},
		"version":     {"version=1.0", "version=2.0", "isv.invalid-version"},
	} {
		body := strings.Replace(good, x.from, x.to, 1)
		if body == good {
			t.Fatalf("%s: nothing changed", name)
		}
		if a := send(body); !strings.Contains(a, x.want) {
			t.Errorf("%s: %s, want %s", name, a, x.want)
		}
	}
	if a := send(good + "&x=" + string(bytes.Repeat([]byte("x"), maxRequest))); !strings.Contains(a, "isv.invalid-parameter") {
		t.Errorf("a huge request: %.200s", a)
	}
	at = at.Add(maxSkew)
	if a := send(good); !strings.Contains(a, "isv.invalid-timestamp") {
		t.Errorf("a stale request: %s", a)
	}
	w := httptest.NewRecorder()
	g.handle(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("GET: %d", w.Code)
	}
}
