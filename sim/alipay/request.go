package alipay

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	maxRequest = 64 << 10
	maxSkew    = 10 * time.Minute
)

var shanghai = time.FixedZone("CST", 8*60*60)

// request is a form whose signature is right.
type request struct {
	method string
	biz    business
	raw    map[string]json.RawMessage // biz_content, for the trace
}

// business is what we read of biz_content. Every value must be a JSON string.
type business struct {
	OutTradeNo      string `json:"out_trade_no"`
	TradeNo         string `json:"trade_no"`
	TotalAmount     string `json:"total_amount"`
	Subject         string `json:"subject"`
	Scene           string `json:"scene"`
	AuthCode        string `json:"auth_code"`
	ProductCode     string `json:"product_code"`
	Enable          string `json:"enable_pay_channels"`
	Disable         string `json:"disable_pay_channels"`
	GoodsType       string `json:"goods_type"`
	TimeoutExpress  string `json:"timeout_express"`
	QRTimeout       string `json:"qr_code_timeout_express"`
	RefundAmount    string `json:"refund_amount"`
	OutRequestNo    string `json:"out_request_no"`
	ExtendParams    extend `json:"extend_params"`
	OperatorID      string `json:"operator_id"`
	StoreID         string `json:"store_id"`
	TerminalID      string `json:"terminal_id"`
	DiscountableSum string `json:"discountable_amount"`
}

type extend struct {
	ServiceProvider string `json:"sys_service_provider_id"`
	Periods         string `json:"hb_fq_num"`
	SellerPercent   string `json:"hb_fq_seller_percent"`
}

// print is what a repeated request must have in common with the first.
func (b business) print() string {
	return strings.Join([]string{b.TotalAmount, b.Subject, b.Enable, b.Disable, b.ExtendParams.Periods, b.ExtendParams.SellerPercent}, "\x00")
}

// read takes a request apart and checks its signature. The refusal is one of the open platform's public errors.
func (g *Gateway) read(r *http.Request) (request, *refusal) {
	var q request
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err != nil || len(body) > maxRequest {
		return q, &refusal{"40002", "isv.invalid-parameter", "请求体无法读取"}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return q, &refusal{"40002", "isv.invalid-parameter", "表单格式错误"}
	}
	for k, v := range r.URL.Query() {
		form[k] = append(form[k], v...)
	}
	for k, v := range form {
		if len(v) != 1 {
			return q, &refusal{"40002", "isv.invalid-parameter", "参数重复: " + k}
		}
	}
	q.method = form.Get("method")
	for _, k := range []string{"app_id", "method", "charset", "sign_type", "sign", "timestamp", "version"} {
		if form.Get(k) == "" {
			return q, &refusal{"40001", "isv.missing-" + strings.ReplaceAll(strings.Replace(k, "sign", "signature", 1), "_", "-"), "缺少参数 " + k}
		}
	}
	for _, c := range []struct{ key, want, sub string }{
		{"app_id", g.AppID(), "isv.invalid-app-id"},
		{"sign_type", "RSA2", "isv.invalid-signature-type"},
		{"charset", "utf-8", "isv.invalid-charset"},
		{"version", "1.0", "isv.invalid-version"},
	} {
		if form.Get(c.key) != c.want {
			return q, &refusal{"40002", c.sub, c.key + " 无效"}
		}
	}
	if !g.signed(form) {
		return q, &refusal{"40002", "isv.invalid-signature", "无效签名"}
	}
	at, err := time.ParseInLocation(time.DateTime, form.Get("timestamp"), shanghai)
	if err != nil || g.clock().Sub(at).Abs() > maxSkew {
		return q, &refusal{"40002", "isv.invalid-timestamp", "无效时间戳"}
	}
	content := form.Get("biz_content")
	if json.Unmarshal([]byte(content), &q.raw) != nil || json.Unmarshal([]byte(content), &q.biz) != nil {
		return q, &refusal{"40002", "isv.invalid-parameter", "biz_content 格式错误"}
	}
	return q, nil
}

// signed checks SHA256withRSA over the sorted, unescaped parameters without sign and without empty ones.
func (g *Gateway) signed(form url.Values) bool {
	sign, err := base64.StdEncoding.DecodeString(form.Get("sign"))
	if err != nil {
		return false
	}
	var names []string
	for k, v := range form {
		if k != "sign" && v[0] != "" {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	var text strings.Builder
	for i, k := range names {
		if i > 0 {
			text.WriteByte('&')
		}
		fmt.Fprintf(&text, "%s=%s", k, form.Get(k))
	}
	sum := sha256.Sum256([]byte(text.String()))
	return rsa.VerifyPKCS1v15(&g.keys.App.PublicKey, crypto.SHA256, sum[:], sign) == nil
}

var known = []string{
	"balance", "moneyFund", "bankPay", "debitCardExpress", "creditCardExpress", "creditCardCartoon", "creditCard", "cartoon",
	"pcredit", "pcreditpayInstallment", "credit_group", "coupon", "point", "promotion", "voucher", "mdiscount", "honeyPay", "mcard", "pcard",
}

// sale checks what pay and precreate have in common and returns an order that is not in the ledger yet.
func (g *Gateway) sale(b business) (*trade, *refusal) {
	invalid := func(what string) (*trade, *refusal) { return nil, deny("INVALID_PARAMETER", what) }
	amount, ok := fen(b.TotalAmount)
	switch {
	case !goodNumber(b.OutTradeNo):
		return invalid("out_trade_no 无效")
	case !ok || amount < 1:
		return invalid("total_amount 无效")
	case amount > 10_000_000_000:
		return nil, deny("TOTAL_FEE_EXCEED", "订单总金额不在允许范围内")
	case b.Subject == "" || len([]rune(b.Subject)) > 256 || strings.ContainsAny(b.Subject, "/=&"):
		return invalid("subject 无效")
	case b.ProductCode != "" && b.ProductCode != "FACE_TO_FACE_PAYMENT" && b.ProductCode != "OFFLINE_PAYMENT":
		return invalid("product_code 无效")
	}
	c, why := g.channels(b)
	if why != "" {
		return invalid(why)
	}
	t := &trade{Trade: Trade{Number: b.OutTradeNo, Amount: amount, Created: g.clock()}, print: b.print(), allowed: c, refunds: map[string]int64{}}
	if b.TimeoutExpress != "" {
		life, ok := express(b.TimeoutExpress)
		if !ok {
			return invalid("timeout_express 无效")
		}
		t.expires = t.Created.Add(life)
	}
	return t, nil
}

// channels reads what may pay, and the instalment parameters: both or none, known periods, the fee on one side.
func (g *Gateway) channels(b business) (c channels, why string) {
	c = channels{balance: true, huabei: true, instalments: true}
	if b.Enable != "" && b.Disable != "" {
		return c, "enable_pay_channels 与 disable_pay_channels 互斥"
	}
	list := strings.Split(b.Enable+b.Disable, ",")
	if b.Enable+b.Disable != "" {
		for _, x := range list {
			if !slices.Contains(known, x) {
				return c, "渠道无效"
			}
		}
		names := func(xs ...string) bool {
			return slices.ContainsFunc(xs, func(x string) bool { return slices.Contains(list, x) })
		}
		on := b.Enable != ""
		c.balance = names("balance") == on
		c.huabei = names("pcredit", "credit_group") == on
		c.instalments = names("pcreditpayInstallment", "credit_group") == on
	}
	if b.GoodsType == "0" {
		c.huabei, c.instalments = false, false // virtual goods may not be bought on credit
	}
	n, percent := b.ExtendParams.Periods, b.ExtendParams.SellerPercent
	if (n == "") != (percent == "") {
		return c, "hb_fq_num 与 hb_fq_seller_percent 须同时传入"
	}
	if n == "" {
		return c, ""
	}
	for periods := range g.rates {
		if n == fmt.Sprint(periods) {
			c.periods = periods
		}
	}
	switch {
	case c.periods == 0:
		return c, "hb_fq_num 无效"
	case percent != "0" && percent != "100":
		return c, "hb_fq_seller_percent 无效"
	case !c.instalments:
		return c, "渠道不支持花呗分期"
	}
	c.sellerPays = percent == "100"
	return c, ""
}

// fen reads yuan with at most two decimals.
func fen(s string) (int64, bool) {
	whole, cents, dot := strings.Cut(s, ".")
	if whole == "" || len(whole) > 12 || (dot && (cents == "" || len(cents) > 2)) {
		return 0, false
	}
	var v int64
	for _, r := range whole + (cents + "00")[:2] {
		if r < '0' || r > '9' {
			return 0, false
		}
		v = v*10 + int64(r-'0')
	}
	return v, true
}

// express reads a time like 90m, 2h or 1d.
func express(s string) (time.Duration, bool) {
	var n int
	var unit string
	if _, err := fmt.Sscanf(s, "%d%s", &n, &unit); err != nil || n < 1 || n > 21600 {
		return 0, false
	}
	d, ok := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[unit]
	return time.Duration(n) * d, ok && time.Duration(n)*d <= 15*24*time.Hour
}

func goodNumber(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
