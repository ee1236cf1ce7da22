package alipay

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"posd/internal/money"
	"posd/qrpay"
)

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func sealed(name, node string) []byte {
	sum := sha256.Sum256([]byte(node))
	sign, err := rsa.SignPKCS1v15(rand.Reader, testKey(), crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return []byte(`{"` + name + `":` + node + `,"sign":"` + base64.StdEncoding.EncodeToString(sign) + `"}`)
}

const payNode = "alipay_trade_pay_response"

func vector(t testing.TB) ([]byte, *rsa.PublicKey) {
	body, err := os.ReadFile("testdata/pay_answer.json")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("testdata/platform_public.pem")
	if err != nil {
		t.Fatal(err)
	}
	key, why := publicKey(b)
	if why != "" {
		t.Fatal(why)
	}
	return body, key
}

// An answer signed with openssl, escaped as the gateway escapes: read as it is, refused with any one byte of the node changed.
func TestAnswerSignedByOpenSSL(t *testing.T) {
	body, key := vector(t)
	read := func(b []byte) (qrpay.Result, error) {
		o, err := open(methodPay, b, key)
		if err != nil {
			return qrpay.Result{}, err
		}
		a, err := newAnswer(o)
		if err != nil {
			return qrpay.Result{}, err
		}
		return a.paid("T0001", money.Yuan(10050))
	}
	got, err := read(body)
	want := qrpay.Result{
		Status: qrpay.Paid, Number: "T0001", TradeNo: "2026030122001", Amount: money.Yuan(10050), BuyerPay: 10050, Receipt: 10050,
		Buyer: "139****0001", Funds: []qrpay.Fund{{Channel: "PCREDIT", Minor: 10050}}, PaidAt: time.Date(2026, 3, 1, 12, 0, 5, 0, shanghai),
		Code: "10000", Message: "Success",
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Fatalf("%v; -want +got\n%s", err, d)
	}
	start := strings.Index(string(body), `:{`) + 1
	end := strings.Index(string(body), `,"sign"`)
	for i := start; i < end; i++ {
		for _, flip := range []byte{0x01, 0x20} {
			b := append([]byte(nil), body...)
			b[i] ^= flip
			if r, err := read(b); err == nil || r.Status != qrpay.Unknown {
				t.Fatalf("byte %d ^ %#x: %+v, %v", i, flip, r, err)
			}
		}
	}
	spaced := strings.Replace(string(body), `"code":`, `"code": `, 1)
	if _, err := read([]byte(spaced)); !errors.Is(err, ErrSignature) {
		t.Errorf("the same JSON in other bytes: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	good := sealed(payNode, `{"code":"10000"}`)
	if _, err := open(methodPay, good, &testKey().PublicKey); err != nil {
		t.Fatal(err)
	}
	sign := string(good[strings.Index(string(good), `,"sign"`):])
	deep := strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20)
	for _, c := range []struct{ name, body, field string }{
		{"empty", "", ""},
		{"html", "<html></html>", ""},
		{"array", "[]", ""},
		{"null", "null", ""},
		{"trailing bytes", string(good) + "x", ""},
		{"two objects", string(good) + string(good), ""},
		{"cut", string(good[:len(good)-1]), ""},
		{"not UTF-8", strings.Replace(string(good), "10000", "1\xff000", 1), ""},
		{"too long", string(good) + strings.Repeat(" ", maxBody), ""},
		{"another method's node", string(sealed("alipay_trade_query_response", `{"code":"10000"}`)), "alipay_trade_query_response"},
		{"two nodes", `{"alipay_trade_query_response":{},` + string(good[1:]), "alipay_trade_query_response"},
		{"error beside the node", `{"error_response":{"code":"20000"},` + string(good[1:]), "error_response"},
		{"no node", `{"sign":"AA=="}`, payNode},
		{"nothing", `{}`, payNode},
		{"node twice", `{"` + payNode + `":{"code":"40004"},` + string(good[1:]), payNode},
		{"node twice, one name escaped", `{"\u0061lipay_trade_pay_response":{"code":"40004"},` + string(good[1:]), payNode},
		{"sign twice", string(good[:len(good)-1]) + `,"sign":"AA=="}`, "sign"},
		{"code twice", string(sealed(payNode, `{"code":"40004","code":"10000"}`)), "code"},
		{"twice, deep down", string(sealed(payNode, `{"code":"10000","x":[{"a":[{"b":1,"b":1}]}]}`)), "b"},
		{"nested too deep", string(sealed(payNode, deep)), "a"},
		{"sign is a number", `{"` + payNode + `":{"code":"10000"},"sign":1}`, "sign"},
		{"sign is not base64", `{"` + payNode + `":{"code":"10000"},"sign":"!"}`, "sign"},
		{"node is a string", string(sealed(payNode, `"AAAA"`)), ""},
	} {
		_, err := open(methodPay, []byte(c.body), &testKey().PublicKey)
		var bad *AnswerError
		if !errors.As(err, &bad) || bad.Field != c.field || !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %v, want an error at %q", c.name, err, c.field)
		}
	}
	for _, c := range []struct{ name, body string }{
		{"no sign", `{"` + payNode + `":{"code":"10000"}}`},
		{"empty sign", `{"` + payNode + `":{"code":"10000"},"sign":""}`},
		{"sign of another node", `{"` + payNode + `":{"code":"10003"}` + sign},
		{"space after the brace", strings.Replace(string(good), `{"code"`, `{ "code"`, 1)},
	} {
		if _, err := open(methodPay, []byte(c.body), &testKey().PublicKey); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v, want ErrSignature", c.name, err)
		}
	}
	// White space around the node and members that nobody signed about do no harm.
	if _, err := open(methodPay, []byte(" {\n\"alipay_cert_sn\": \"x\", "+string(good[1:])+"\n"), &testKey().PublicKey); err != nil {
		t.Error(err)
	}
	_, err := open(methodPay, []byte(`{"error_response":{"code":"40002","sub_code":"isv.invalid\u001b[31m"}}`), &testKey().PublicKey)
	if err == nil || !strings.Contains(err.Error(), "40002 isv.invalid31m") {
		t.Errorf("the technician must learn what an unsigned error claims, in harmless letters: %v", err)
	}
}

// What each answer becomes. The order asked about is T1 over 100.50 yuan.
func TestClassification(t *testing.T) {
	const (
		paid = qrpay.Paid
		wait = qrpay.Waiting
		no   = qrpay.Refused
		none = qrpay.NotFound
		shut = qrpay.Closed
		dark = qrpay.Unknown
	)
	base := `"code":"10000","msg":"Success","out_trade_no":"T1","total_amount":"100.50"`
	sub := func(code, sub string) string { return `{"code":"` + code + `","sub_code":"` + sub + `"}` }
	for _, c := range []struct {
		method string
		node   string
		want   qrpay.Status
	}{
		{methodPay, `{` + base + `}`, paid},
		{methodPay, `{"code":"10000","out_trade_no":"T1","total_amount":100.50}`, paid}, // a number, as the interface description writes it too
		{methodPay, `{"code":"10000","out_trade_no":"T1","total_amount":"100.50","trans_currency":"CNY"}`, paid},
		{methodPay, `{"code":"10000","out_trade_no":"T1","total_amount":"100.50","trans_currency":"USD"}`, dark},
		{methodPay, `{"code":"10003","out_trade_no":"T1","total_amount":"100.50"}`, wait}, // not a success, whatever a library says
		{methodPay, `{"code":"10003"}`, wait},
		{methodPay, `{"code":"10003","out_trade_no":"T2"}`, dark},
		{methodPay, `{"code":"10003","out_trade_no":"T1","total_amount":"1.00"}`, dark},
		{methodPay, `{"code":"10000","out_trade_no":"T2","total_amount":"100.50"}`, dark},
		{methodPay, `{"code":"10000","total_amount":"100.50"}`, dark},
		{methodPay, `{"code":"10000","out_trade_no":"T1"}`, dark},
		{methodPay, `{"code":"10000","out_trade_no":"t1","total_amount":"100.50"}`, dark},
		{methodPay, `{"code":"10000","Out_Trade_No":"T1","total_amount":"100.50"}`, dark}, // names are compared byte for byte
		{methodPay, `{"code":"10000","out_trade_no":["T1"],"total_amount":"100.50"}`, dark},
		{methodPay, `{"code":10000,"out_trade_no":"T1","total_amount":"100.50"}`, dark},
		{methodPay, `{"code":"10000 ","out_trade_no":"T1","total_amount":"100.50"}`, dark},
		{methodPay, `{"out_trade_no":"T1","total_amount":"100.50"}`, dark},
		{methodPay, `{"code":null}`, dark},
		{methodPay, sub("40004", "ACQ.PAYMENT_AUTH_CODE_INVALID"), no},
		{methodPay, sub("40004", "ACQ.INVALID_STORE_ID"), no},
		{methodPay, sub("40004", "ACQ.CONTEXT_INCONSISTENT"), no},
		{methodPay, sub("40004", "ACQ.SYSTEM_ERROR"), dark},
		{methodPay, sub("40004", "ACQ.TRADE_HAS_SUCCESS"), dark},
		{methodPay, sub("40004", "ACQ."), dark},
		{methodPay, sub("40004", ""), dark},
		{methodPay, sub("40004", "XYZ.PAYMENT_FAIL"), dark},
		{methodPay, `{"code":"40004","sub_code":"ACQ.PAYMENT_FAIL","out_trade_no":"T2"}`, dark},
		{methodPay, sub("40001", "isv.missing-method"), no},
		{methodPay, sub("40002", "isv.invalid-signature"), no},
		{methodPay, sub("40002", "aop.unknow-error"), dark},
		{methodPay, sub("40006", "isv.insufficient-isv-permissions"), no},
		{methodPay, sub("20000", "isp.unknow-error"), dark},
		{methodPay, sub("20000", "ACQ.PAYMENT_FAIL"), dark},
		{methodPay, sub("20001", "aop.invalid-auth-token"), no},
		{methodPay, sub("10001", ""), dark},
		{methodPay, sub("99999", "ACQ.PAYMENT_FAIL"), dark},

		{methodPrecreate, `{"code":"10000","out_trade_no":"T1","qr_code":"https:\/\/qr.alipay.com\/x"}`, wait},
		{methodPrecreate, `{"code":"10000","out_trade_no":"T2","qr_code":"https://qr.alipay.com/x"}`, dark},
		{methodPrecreate, `{"code":"10000","qr_code":"https://qr.alipay.com/x"}`, dark},
		{methodPrecreate, `{"code":"10000","out_trade_no":"T1"}`, dark},
		{methodPrecreate, `{"code":"10000","out_trade_no":"T1","qr_code":"a b"}`, dark},
		{methodPrecreate, `{"code":"10000","out_trade_no":"T1","qr_code":"` + strings.Repeat("x", 513) + `"}`, dark},
		{methodPrecreate, `{"code":"10003","out_trade_no":"T1","qr_code":"https://qr.alipay.com/x"}`, dark},
		{methodPrecreate, sub("40004", "ACQ.ACCESS_FORBIDDEN"), no},
		{methodPrecreate, sub("20000", "isp.unknow-error"), dark},

		{methodQuery, `{` + base + `,"trade_status":"TRADE_SUCCESS"}`, paid},
		{methodQuery, `{` + base + `,"trade_status":"TRADE_FINISHED"}`, paid},
		{methodQuery, `{` + base + `,"trade_status":"WAIT_BUYER_PAY"}`, wait},
		{methodQuery, `{` + base + `,"trade_status":"TRADE_CLOSED"}`, shut},
		{methodQuery, `{` + base + `,"trade_status":"trade_success"}`, dark},
		{methodQuery, `{` + base + `,"trade_status":"TRADE_PENDING"}`, dark},
		{methodQuery, `{` + base + `}`, dark},
		{methodQuery, `{"code":"10003","out_trade_no":"T1","total_amount":"100.50","trade_status":"TRADE_SUCCESS"}`, dark},
		{methodQuery, `{"code":"10000","out_trade_no":"T1","trade_status":"TRADE_SUCCESS"}`, dark},
		{methodQuery, `{"code":"10000","out_trade_no":"T1","total_amount":"100.51","trade_status":"TRADE_SUCCESS"}`, dark},
		{methodQuery, `{"code":"10000","out_trade_no":"T2","total_amount":"100.50","trade_status":"TRADE_CLOSED"}`, dark},
		{methodQuery, `{"code":"10000","total_amount":"100.50","trade_status":"TRADE_CLOSED"}`, dark},
		{methodQuery, sub("40004", "ACQ.TRADE_NOT_EXIST"), none},
		{methodQuery, sub("40002", "ACQ.TRADE_NOT_EXIST"), dark},
		{methodQuery, sub("40004", "ACQ.INVALID_PARAMETER"), dark}, // a query cannot refuse
		{methodQuery, sub("20000", "isp.unknow-error"), dark},

		{methodCancel, `{"code":"10000","out_trade_no":"T1","retry_flag":"N","action":"close"}`, shut},
		{methodCancel, `{"code":"10000","out_trade_no":"T1","retry_flag":"N","action":"refund"}`, shut},
		{methodCancel, `{"code":"10000","retry_flag":"N"}`, shut},
		{methodCancel, `{"code":"10000","out_trade_no":"T2","retry_flag":"N","action":"close"}`, dark},
		{methodCancel, `{"code":"10000","out_trade_no":"T1","retry_flag":"y","action":"close"}`, dark},
		{methodCancel, `{"code":"10000","out_trade_no":"T1","retry_flag":"N","action":"sleep"}`, dark},
		{methodCancel, sub("40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH"), dark},
		{methodCancel, sub("20000", "isp.unknow-error"), dark},
	} {
		r, err := classify(c.method, []byte(c.node), "T1", money.Yuan(10050))
		if r.Status != c.want || (err != nil) != (c.want == dark) {
			t.Errorf("%s %s: %d, %v; want %d", c.method, c.node, r.Status, err, c.want)
		}
		if (r.QR != "") != (c.method == methodPrecreate && c.want == wait) {
			t.Errorf("%s %s: QR %q", c.method, c.node, r.QR)
		}
	}
	r, err := classify(methodCancel, []byte(`{"code":"10000","out_trade_no":"T1","retry_flag":"Y","action":"close"}`), "T1", money.Yuan(10050))
	if r.Status != dark || !r.Retry || err != nil {
		t.Errorf("retry: %+v, %v", r, err)
	}
	if r, _ := classify(methodCancel, []byte(`{"code":"10000","retry_flag":"N","action":"refund"}`), "T1", money.Yuan(1)); !r.Refunded {
		t.Errorf("refund: %+v", r)
	}
	for _, amount := range []string{`"100.5"`, `"100.500"`, `100.5`, `1.005e2`, `"1e2"`, `"+100.50"`, `" 100.50"`, `"１００.50"`, `"-100.50"`, `"100,50"`, `""`, `null`, `true`, `["100.50"]`, `"99999999999999999999.00"`} {
		if r, err := classify(methodPay, []byte(`{"code":"10000","out_trade_no":"T1","total_amount":`+amount+`}`), "T1", money.Yuan(10050)); r.Status != dark || err == nil {
			t.Errorf("amount %s: %+v, %v", amount, r, err)
		}
	}
}

func classify(method string, node []byte, number string, amount money.Amount) (qrpay.Result, error) {
	o, err := members(node)
	if err != nil {
		return qrpay.Result{}, err
	}
	a, err := newAnswer(o)
	if err != nil {
		return qrpay.Result{}, err
	}
	switch method {
	case methodPay:
		return a.paid(number, amount)
	case methodPrecreate:
		return a.precreated(number, amount)
	case methodQuery:
		return a.queried(number, amount)
	}
	return a.cancelled(number)
}

// What only informs never decides: a payment with an unreadable list of funds is a payment.
func TestInformation(t *testing.T) {
	node := `{"code":"10000","out_trade_no":"T1","total_amount":"100.50","buyer_logon_id":"a\u0007b","buyer_pay_amount":"x","receipt_amount":100.50,
		"send_pay_date":"yesterday","gmt_payment":"2026-02-30 00:00:00","hb_fq_pay_info":{"user_install_num":"6"},
		"fund_bill_list":[{"fund_channel":"PCREDIT","amount":"60.50"},{"fund_channel":"COUPON","amount":40},{"fund_channel":"X","amount":"1.5"},7,{"amount":"1.00"}]}`
	r, err := classify(methodPay, []byte(node), "T1", money.Yuan(10050))
	want := qrpay.Result{
		Status: qrpay.Paid, Number: "T1", Amount: money.Yuan(10050), Receipt: 10050, Buyer: "ab", Periods: 6,
		Funds: []qrpay.Fund{{Channel: "PCREDIT", Minor: 6050}, {Channel: "COUPON", Minor: 4000}}, Code: "10000",
	}
	if d := cmp.Diff(want, r); d != "" || err != nil {
		t.Errorf("%v; -want +got\n%s", err, d)
	}
	for _, extra := range []string{`"fund_bill_list":"x"`, `"fund_bill_list":{}`, `"fund_bill_list":null`, `"hb_fq_pay_info":"x"`, `"hb_fq_pay_info":{"user_install_num":"999"}`, `"buyer_logon_id":5`} {
		if r, err := classify(methodPay, []byte(`{"code":"10000","out_trade_no":"T1","total_amount":"100.50",`+extra+`}`), "T1", money.Yuan(10050)); r.Status != qrpay.Paid || err != nil || r.Periods != 0 {
			t.Errorf("%s: %+v, %v", extra, r, err)
		}
	}
}

func TestText(t *testing.T) {
	for sub := range texts {
		if zh, en := Text(sub); zh == "" || en == "" || strings.ContainsFunc(en, func(r rune) bool { return r > 0x7e }) {
			t.Errorf("%s: %q %q", sub, zh, en)
		}
	}
	if zh, en := TextFor("ACQ.BUYER_BALANCE_NOT_ENOUGH", qrpay.ChannelHuabeiInstalments); !strings.Contains(zh, "花呗额度不足") || !strings.Contains(en, "Huabei credit") {
		t.Errorf("%q %q", zh, en)
	}
	if _, en := Text("ACQ.BUYER_BALANCE_NOT_ENOUGH"); strings.Contains(en, "Huabei") {
		t.Errorf("%q", en)
	}
	if zh, en := Text("ACQ.NEW_RULE\x1b@"); !strings.Contains(zh, "NEW_RULE") || !strings.Contains(en, "(NEW_RULE)") {
		t.Errorf("%q %q", zh, en)
	}
	if zh, en := Text(""); zh == "" || en == "" || strings.Contains(en, "(") {
		t.Errorf("%q %q", zh, en)
	}
}

// FuzzOpen looks for an answer that is believed though its node is not byte for byte one that the key's owner signed.
func FuzzOpen(f *testing.F) {
	body, key := vector(f)
	f.Add(body)
	f.Add([]byte(`{"error_response":{"code":"20000"}}`))
	f.Add([]byte(`{"alipay_trade_pay_response":{"a":[[[[1]]]]},"sign":""}`))
	f.Add(append([]byte(`{"alipay_trade_pay_response":{},`), body[1:]...))
	node := string(body[strings.Index(string(body), ":{")+1 : strings.Index(string(body), `,"sign"`)])
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := open(methodPay, b, key)
		if err != nil {
			if !errors.Is(err, ErrAnswer) && !errors.Is(err, ErrSignature) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if !strings.Contains(string(b), node) {
			t.Fatalf("believed %q", b)
		}
		if _, err := newAnswer(o); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzClassify looks for an answer that sells without the exact order and amount, or that is unknown without a cause.
func FuzzClassify(f *testing.F) {
	for _, s := range []string{
		`{"code":"10000","out_trade_no":"T1","total_amount":"100.50","trade_status":"TRADE_SUCCESS"}`,
		`{"code":"10000","out_trade_no":"T1","retry_flag":"Y"}`,
		`{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}`,
		`{"code":"10000","fund_bill_list":[{"fund_channel":"A","amount":1}],"hb_fq_pay_info":{"user_install_num":"3"}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, node []byte) {
		if noTwins(node, "", 0) != nil {
			return
		}
		for _, m := range []string{methodPay, methodPrecreate, methodQuery, methodCancel} {
			r, err := classify(m, node, "T1", money.Yuan(10050))
			if (err != nil && r.Status != qrpay.Unknown) || (err == nil && r.Status == qrpay.Unknown && !r.Retry) {
				t.Fatalf("%s: %+v, %v", m, r, err)
			}
			if r.Status == qrpay.Paid && (r.Number != "T1" || r.Amount != money.Yuan(10050) || r.Code != "10000" || m == methodCancel || m == methodPrecreate) {
				t.Fatalf("%s sold: %+v", m, r)
			}
		}
	})
}

func pemOf(kind string, der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func pkcs8(k any) []byte {
	b, err := x509.MarshalPKCS8PrivateKey(k)
	return pemOf("PRIVATE KEY", b, err)
}

func pkix(k any) []byte { b, err := x509.MarshalPKIXPublicKey(k); return pemOf("PUBLIC KEY", b, err) }
