package alipay

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"posd/internal/money"
	"posd/qrpay"
)

func config(t testing.TB) Config {
	public, err := os.ReadFile("testdata/platform_public.pem")
	if err != nil {
		t.Fatal(err)
	}
	return Config{Gateway: "https://wallet.example/gateway.do", AppID: "2021000000000001", PrivateKeyPEM: pkcs8(testKey()), AlipayPublicKeyPEM: public}
}

func TestNewRefuses(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(config(t)); err != nil {
		t.Fatal(err)
	}
	pkcs1 := config(t)
	pkcs1.PrivateKeyPEM = pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(testKey()), nil)
	if _, err := New(pkcs1); err != nil {
		t.Errorf("PKCS #1: %v", err)
	}
	for name, change := range map[string]func(*Config){
		"no TLS":                func(c *Config) { c.Gateway = "http://wallet.example/gateway.do" },
		"no host":               func(c *Config) { c.Gateway = "https:///gateway.do" },
		"query":                 func(c *Config) { c.Gateway += "?a=b" },
		"user":                  func(c *Config) { c.Gateway = "https://u:p@wallet.example/" },
		"no application":        func(c *Config) { c.AppID = "" },
		"application":           func(c *Config) { c.AppID = "a&b" },
		"no private key":        func(c *Config) { c.PrivateKeyPEM = nil },
		"private key not PEM":   func(c *Config) { c.PrivateKeyPEM = []byte("MIIE") },
		"private key damaged":   func(c *Config) { c.PrivateKeyPEM = pemOf("PRIVATE KEY", []byte("damaged"), nil) },
		"private key of 1024":   func(c *Config) { c.PrivateKeyPEM = pkcs8(small) },
		"private key of curve":  func(c *Config) { c.PrivateKeyPEM = pkcs8(curve) },
		"no public key":         func(c *Config) { c.AlipayPublicKeyPEM = nil },
		"public key damaged":    func(c *Config) { c.AlipayPublicKeyPEM = pemOf("PUBLIC KEY", []byte("damaged"), nil) },
		"public key of 1024":    func(c *Config) { c.AlipayPublicKeyPEM = pkix(&small.PublicKey) },
		"public key of curve":   func(c *Config) { c.AlipayPublicKeyPEM = pkix(&curve.PublicKey) },
		"own public key":        func(c *Config) { c.AlipayPublicKeyPEM = pkix(&testKey().PublicKey) },
		"negative time-out":     func(c *Config) { c.Timeout = -1 },
		"half a minute of life": func(c *Config) { c.OrderLife = 30 * time.Second },
	} {
		c := config(t)
		change(&c)
		g, err := New(c)
		if !errors.Is(err, ErrConfig) || g != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "MII") {
			t.Errorf("%s: the error holds a key", name)
		}
	}
}

func TestOrdersThatAreNotSent(t *testing.T) {
	c := config(t)
	c.Dial = func(context.Context, string, string) (net.Conn, error) {
		t.Error("something was sent")
		return nil, errors.New("no")
	}
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	plan := &qrpay.Plan{Periods: 3, Payer: qrpay.PayerBuyer, Amount: 10050}
	good := qrpay.Order{Number: "T1", Method: qrpay.ScanBuyer, Amount: money.Yuan(10050), Subject: "a", AuthCode: "281234567890123456"}
	for name, change := range map[string]func(*qrpay.Order){
		"no number":            func(o *qrpay.Order) { o.Number = "" },
		"number too long":      func(o *qrpay.Order) { o.Number = strings.Repeat("1", 65) },
		"number with dash":     func(o *qrpay.Order) { o.Number = "a-b" },
		"amount zero":          func(o *qrpay.Order) { o.Amount.Minor = 0 },
		"amount negative":      func(o *qrpay.Order) { o.Amount.Minor = -1 },
		"amount too large":     func(o *qrpay.Order) { o.Amount.Minor = maxMinor + 1 },
		"dollars":              func(o *qrpay.Order) { o.Amount.Currency = money.USD },
		"no subject":           func(o *qrpay.Order) { o.Subject = "" },
		"subject with =":       func(o *qrpay.Order) { o.Subject = "a=b" },
		"subject with newline": func(o *qrpay.Order) { o.Subject = "a\nb" },
		"no code":              func(o *qrpay.Order) { o.AuthCode = "" },
		"code with letters":    func(o *qrpay.Order) { o.AuthCode = "28123456789012345x" },
		"code too long":        func(o *qrpay.Order) { o.AuthCode = strings.Repeat("2", 25) },
		"plan, any channel":    func(o *qrpay.Order) { o.Plan = plan },
		"channel, no plan":     func(o *qrpay.Order) { o.Channel = qrpay.ChannelHuabeiInstalments },
		"plan of other amount": func(o *qrpay.Order) {
			o.Channel, o.Plan = qrpay.ChannelHuabeiInstalments, &qrpay.Plan{Periods: 3, Payer: qrpay.PayerBuyer, Amount: 1}
		},
		"plan without payer": func(o *qrpay.Order) {
			o.Channel, o.Plan = qrpay.ChannelHuabeiInstalments, &qrpay.Plan{Periods: 3, Amount: 10050}
		},
	} {
		o := good
		change(&o)
		r, err := g.Pay(context.Background(), o)
		if !errors.Is(err, ErrOrder) || !NotSent(err) || r.Status != qrpay.Unknown {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if err != nil && len(o.AuthCode) > 8 && strings.Contains(err.Error(), o.AuthCode) {
			t.Errorf("%s: the error holds the code", name)
		}
	}
	if _, err := g.Query(context.Background(), "a b", good.Amount); !errors.Is(err, ErrOrder) {
		t.Error(err)
	}
	if _, err := g.Cancel(context.Background(), ""); !errors.Is(err, ErrOrder) {
		t.Error(err)
	}
}

// What leaves the terminal, read on the other side without any library: parameters, content and signature.
func TestRequest(t *testing.T) {
	var form url.Values
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		form, _ = url.ParseQuery(string(b))
		w.WriteHeader(http.StatusTeapot)
	}))
	defer server.Close()
	c := config(t)
	c.Gateway = server.URL
	c.RootCAs = x509.NewCertPool()
	c.RootCAs.AddCert(server.Certificate())
	c.ServiceProviderID, c.AppAuthToken, c.OrderLife = "2088000000000001", "token1", 2*time.Minute
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	o := qrpay.Order{
		Number: "T1", Amount: money.Yuan(10050), AuthCode: "281234567890123456", Subject: "门店<消费>+%", Operator: "01", Terminal: "10000001", Store: "S1",
		Channel: qrpay.ChannelHuabeiInstalments, Plan: &qrpay.Plan{Periods: 6, Payer: qrpay.PayerSeller, Amount: 10050},
	}
	sale := map[string]any{
		"out_trade_no": "T1", "total_amount": "100.50", "subject": "门店<消费>+%", "product_code": "FACE_TO_FACE_PAYMENT", "operator_id": "01",
		"terminal_id": "10000001", "store_id": "S1", "enable_pay_channels": "pcreditpayInstallment", "timeout_express": "2m",
		"extend_params": map[string]any{"hb_fq_num": "6", "hb_fq_seller_percent": "100", "sys_service_provider_id": "2088000000000001"},
	}
	with := func(m map[string]any, kv ...string) map[string]any {
		out := map[string]any{}
		for k, v := range m {
			out[k] = v
		}
		for i := 0; i < len(kv); i += 2 {
			out[kv[i]] = kv[i+1]
		}
		return out
	}
	ctx := context.Background()
	for _, x := range []struct {
		method string
		send   func() error
		want   map[string]any
	}{
		{methodPay, func() error { _, err := g.Pay(ctx, o); return err }, with(sale, "scene", "bar_code", "auth_code", o.AuthCode)},
		{methodPrecreate, func() error { _, err := g.Precreate(ctx, o); return err }, with(sale, "qr_code_timeout_express", "2m")},
		{methodQuery, func() error { _, err := g.Query(ctx, "T1", o.Amount); return err }, map[string]any{"out_trade_no": "T1", "query_options": []any{"fund_bill_list"}}},
		{methodCancel, func() error { _, err := g.Cancel(ctx, "T1"); return err }, map[string]any{"out_trade_no": "T1"}},
	} {
		form = nil
		if err := x.send(); err == nil || NotSent(err) || !strings.Contains(err.Error(), "418") {
			t.Errorf("%s: HTTP status 418: %v", x.method, err)
		}
		var biz map[string]any
		if err := json.Unmarshal([]byte(form.Get("biz_content")), &biz); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(x.want, biz); d != "" {
			t.Errorf("%s: -want +got\n%s", x.method, d)
		}
		for k, v := range map[string]string{
			"app_id": c.AppID, "method": x.method, "format": "JSON", "charset": "utf-8", "sign_type": "RSA2", "version": "1.0", "app_auth_token": "token1",
		} {
			if form.Get(k) != v {
				t.Errorf("%s: %s is %q, want %q", x.method, k, form.Get(k), v)
			}
		}
		if at, err := time.ParseInLocation(time.DateTime, form.Get("timestamp"), shanghai); err != nil || time.Since(at).Abs() > time.Minute {
			t.Errorf("timestamp %q", form.Get("timestamp"))
		}
		var lines []string
		for k, v := range form {
			if k != "sign" {
				lines = append(lines, k+"="+v[0])
			}
		}
		slices.Sort(lines)
		sign, err := base64.StdEncoding.DecodeString(form.Get("sign"))
		sum := sha256.Sum256([]byte(strings.Join(lines, "&")))
		if err != nil || rsa.VerifyPKCS1v15(&testKey().PublicKey, crypto.SHA256, sum[:], sign) != nil {
			t.Errorf("%s: the signature is wrong", x.method)
		}
	}
	if s := g.String(); strings.Contains(s, "token1") || !strings.Contains(s, c.AppID) {
		t.Error(s)
	}
	server.Close()
	if _, err := g.Query(ctx, "T1", o.Amount); !NotSent(err) {
		t.Errorf("nobody listens: %v", err)
	}
}

// A body without an end is left after its bound, not at the time-out.
func TestEndlessBody(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	c := config(t)
	c.Gateway = server.URL
	c.RootCAs = x509.NewCertPool()
	c.RootCAs.AddCert(server.Certificate())
	c.Timeout = 5 * time.Second
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	var bad *AnswerError
	if r, err := g.Query(context.Background(), "T1", money.Yuan(1)); !errors.As(err, &bad) || bad.Offset != maxBody || r.Status != qrpay.Unknown {
		t.Errorf("%+v, %v", r, err)
	}
}
