package alipay

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	sdk "github.com/smartwalle/alipay/v3"

	"posd/internal/money"
	"posd/qrpay"
)

// Method names of the gateway.
const (
	methodPay       = "alipay.trade.pay"
	methodPrecreate = "alipay.trade.precreate"
	methodQuery     = "alipay.trade.query"
	methodCancel    = "alipay.trade.cancel"
)

// Limits of the interface description.
const (
	maxMinor = 10_000_000_000 // total_amount 0.01 to 100000000.00 yuan
	minKey   = 2048           // bits; RSA2 asks for as many
)

// shanghai is the time zone of every time stamp of the gateway; without daylight saving since 1991, so no zone file is needed.
var shanghai = time.FixedZone("CST", 8*60*60)

// Errors of New and of orders that are not sent.
var (
	ErrConfig = errors.New("alipay: bad configuration")
	ErrOrder  = errors.New("alipay: order cannot be sent")
)

// Config is what the terminal knows of its gateway. The keys come from the merchant's Alipay account.
type Config struct {
	Gateway            string         // https URL without query
	AppID              string         //
	PrivateKeyPEM      []byte         // the application's private key, PKCS #1 or PKCS #8, at least 2048 bits
	AlipayPublicKeyPEM []byte         // the gateway's public key (not the application's), PKIX
	RootCAs            *x509.CertPool // nil for the system's
	ServerName         string         // expected in the certificate; "" for the host of Gateway
	Timeout            time.Duration  // one request with its answer; 0 for 10 s
	ServiceProviderID  string         // sys_service_provider_id, "" for none
	AppAuthToken       string         // app_auth_token of a service provider, "" for none
	OrderLife          time.Duration  // the gateway closes an unpaid order by itself after this, whole minutes; 0 for its own rule

	// Dial replaces the way to the network (an uplink of the terminal's choice); nil dials directly.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Gateway talks to Alipay. Each method is one request; it may be called from any goroutine.
type Gateway struct {
	config Config
	signer *sdk.Client
	key    *rsa.PublicKey
	line   line
}

// New checks the configuration and makes a gateway; nothing is sent. Errors wrap ErrConfig and hold no key.
func New(c Config) (*Gateway, error) {
	bad := func(what string) (*Gateway, error) { return nil, fmt.Errorf("%w: %s", ErrConfig, what) }
	u, err := url.Parse(c.Gateway)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return bad("gateway must be an https URL without user, query and fragment")
	}
	if c.AppID == "" || word(c.AppID) != c.AppID {
		return bad("app_id must be letters and digits")
	}
	if c.Timeout < 0 || c.OrderLife < 0 || c.OrderLife%time.Minute != 0 {
		return bad("timeout must not be negative, order life must be whole minutes")
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	private, why := privateKey(c.PrivateKeyPEM)
	if why != "" {
		return bad("private key: " + why)
	}
	public, why := publicKey(c.AlipayPublicKeyPEM)
	if why != "" {
		return bad("Alipay public key: " + why)
	}
	if public.Equal(&private.PublicKey) {
		return bad("the Alipay public key is the application's own: take the gateway's from the account page")
	}
	signer, err := sdk.New(c.AppID, string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})), true, sdk.WithTimeLocation(shanghai))
	if err != nil {
		return bad("private key: not accepted by the signing library")
	}
	c.PrivateKeyPEM = nil
	return &Gateway{config: c, signer: signer, key: public, line: newLine(c)}, nil
}

// String names the gateway without anything secret.
func (g *Gateway) String() string { return "alipay " + g.config.AppID + " at " + g.config.Gateway }

// Pay asks for the money behind a scanned payment code (alipay.trade.pay).
func (g *Gateway) Pay(ctx context.Context, o qrpay.Order) (qrpay.Result, error) {
	biz, err := g.order(o)
	if err != nil {
		return qrpay.Result{}, err
	}
	if len(o.AuthCode) < 16 || len(o.AuthCode) > 24 || strings.Trim(o.AuthCode, "0123456789") != "" {
		return qrpay.Result{}, unsent("payment code is not 16 to 24 digits")
	}
	biz["scene"] = "bar_code"
	biz["auth_code"] = o.AuthCode
	a, err := g.ask(ctx, methodPay, biz)
	if err != nil {
		return qrpay.Result{}, err
	}
	return a.paid(o.Number, o.Amount)
}

// Precreate asks for a code to show to the buyer (alipay.trade.precreate). Result.QR is set exactly when the status is Waiting.
func (g *Gateway) Precreate(ctx context.Context, o qrpay.Order) (qrpay.Result, error) {
	biz, err := g.order(o)
	if err != nil {
		return qrpay.Result{}, err
	}
	if life, ok := biz["timeout_express"]; ok {
		biz["qr_code_timeout_express"] = life
	}
	a, err := g.ask(ctx, methodPrecreate, biz)
	if err != nil {
		return qrpay.Result{}, err
	}
	return a.precreated(o.Number, o.Amount)
}

// Query asks how an order stands (alipay.trade.query). It never returns Refused.
func (g *Gateway) Query(ctx context.Context, number string, amount money.Amount) (qrpay.Result, error) {
	if !goodNumber(number) {
		return qrpay.Result{}, unsent("order number must be 1 to 64 of A-Z a-z 0-9 _")
	}
	a, err := g.ask(ctx, methodQuery, map[string]any{"out_trade_no": number, "query_options": []string{"fund_bill_list"}})
	if err != nil {
		return qrpay.Result{}, err
	}
	return a.queried(number, amount)
}

// Cancel takes an order back, paid or not (alipay.trade.cancel). Closed means that the gateway says so; it says so of orders that
// it never saw too. Result.Retry asks to repeat it.
func (g *Gateway) Cancel(ctx context.Context, number string) (qrpay.Result, error) {
	if !goodNumber(number) {
		return qrpay.Result{}, unsent("order number must be 1 to 64 of A-Z a-z 0-9 _")
	}
	a, err := g.ask(ctx, methodCancel, map[string]any{"out_trade_no": number})
	if err != nil {
		return qrpay.Result{}, err
	}
	return a.cancelled(number)
}

// NotSent tells whether err says for certain that nothing left the terminal.
func NotSent(err error) bool { return qrpay.NotSent(err) }

// ask signs and sends a request and returns the verified answer.
func (g *Gateway) ask(ctx context.Context, method string, biz map[string]any) (answer, error) {
	p := sdk.NewPayload(method)
	for k, v := range biz {
		p.AddBizField(k, v)
	}
	if g.config.AppAuthToken != "" {
		p.AddParam("app_auth_token", g.config.AppAuthToken)
	}
	form, err := g.signer.URLValues(p)
	if err != nil {
		return answer{}, unsent("signing failed")
	}
	body, err := g.line.post(ctx, form)
	if err != nil {
		return answer{}, err
	}
	node, err := open(method, body, g.key)
	if err != nil {
		return answer{}, err
	}
	return newAnswer(node)
}

// order is the part of the business content that pay and precreate share.
func (g *Gateway) order(o qrpay.Order) (map[string]any, error) {
	switch {
	case !goodNumber(o.Number):
		return nil, unsent("order number must be 1 to 64 of A-Z a-z 0-9 _")
	case o.Amount.Currency != money.CNY:
		return nil, unsent("currency must be renminbi")
	case o.Amount.Minor < 1 || o.Amount.Minor > maxMinor:
		return nil, unsent("amount must be 0.01 to 100000000.00")
	case o.Subject == "" || utf8.RuneCountInString(o.Subject) > 256 || strings.ContainsAny(o.Subject, "/=&") || clean(o.Subject, 256) != o.Subject:
		return nil, unsent("subject must be 1 to 256 printable characters without / = &")
	case o.Plan != nil && (o.Channel != qrpay.ChannelHuabeiInstalments || o.Plan.Amount != o.Amount.Minor):
		return nil, unsent("plan does not belong to the order")
	case o.Plan == nil && o.Channel == qrpay.ChannelHuabeiInstalments:
		return nil, unsent("instalments without a plan")
	}
	biz := map[string]any{
		"out_trade_no": o.Number,
		"total_amount": o.Amount.Major(),
		"subject":      o.Subject,
		"product_code": "FACE_TO_FACE_PAYMENT",
	}
	for k, v := range map[string]string{"operator_id": o.Operator, "terminal_id": o.Terminal, "store_id": o.Store, "enable_pay_channels": o.Channel} {
		if v != "" {
			biz[k] = clean(v, 28) // the shortest of the three limits: operator_id
		}
	}
	if g.config.OrderLife > 0 {
		biz["timeout_express"] = strconv.Itoa(int(g.config.OrderLife/time.Minute)) + "m"
	}
	extend := map[string]string{}
	if g.config.ServiceProviderID != "" {
		extend["sys_service_provider_id"] = g.config.ServiceProviderID
	}
	if o.Plan != nil {
		percent, ok := map[qrpay.Payer]string{qrpay.PayerBuyer: "0", qrpay.PayerSeller: "100"}[o.Plan.Payer]
		if !ok || o.Plan.Periods < 2 {
			return nil, unsent("plan does not say who pays in how many instalments")
		}
		extend["hb_fq_num"] = strconv.Itoa(o.Plan.Periods)
		extend["hb_fq_seller_percent"] = percent
	}
	if len(extend) > 0 {
		biz["extend_params"] = extend
	}
	return biz, nil
}

func unsent(why string) error { return fmt.Errorf("%w: %s: %w", ErrOrder, why, qrpay.ErrNotSent) }

func goodNumber(s string) bool {
	for i := 0; i < len(s); i++ {
		if b := s[i]; b != '_' && (b < '0' || b > '9') && (b|0x20 < 'a' || b|0x20 > 'z') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func privateKey(b []byte) (*rsa.PrivateKey, string) {
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, "not PEM"
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		k, ok := any.(*rsa.PrivateKey)
		if err != nil || !ok {
			return nil, "neither PKCS #1 nor an RSA key in PKCS #8"
		}
		key = k
	}
	if key.N.BitLen() < minKey {
		return nil, "shorter than 2048 bits"
	}
	return key, ""
}

func publicKey(b []byte) (*rsa.PublicKey, string) {
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, "not PEM"
	}
	any, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, ok := any.(*rsa.PublicKey)
	switch {
	case err != nil || !ok:
		return nil, "not an RSA public key in PKIX form"
	case key.N.BitLen() < minKey:
		return nil, "shorter than 2048 bits"
	}
	return key, ""
}
