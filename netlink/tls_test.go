package netlink

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

// authority is a CA made for a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key, a.pem, _ = a.issue("ca", time.Hour)
	return a
}

func (a *authority) issue(name string, life time.Duration) (*x509.Certificate, *ecdsa.PrivateKey, []byte, []byte) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(life), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	block := func(kind string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}) }
	return parsed, key, block("CERTIFICATE", der), block("PRIVATE KEY", raw)
}

// serve listens on the loopback interface and runs talk on each connection.
func (a *authority) serve(name string, life time.Duration, version uint16, talk func(c net.Conn)) string {
	a.t.Helper()
	_, _, cert, key := a.issue(name, life)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		a.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: version,
	})
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				talk(c)
			}()
		}
	}()
	return l.Addr().String()
}

func echo(c net.Conn) { io.Copy(c, c) }

// try connects, sends a message and waits for it to come back. It tells at which step it ended.
func try(t *testing.T, address string, cfg *tls.Config) (step string, err error) {
	t.Helper()
	l, err := New(Config{Addresses: []string{address}, TLS: cfg})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := l.Connect(ctx); err != nil {
		return "connect", err
	}
	if _, err := l.Send(ctx, []byte("hello")); err != nil {
		return "send", err
	}
	got, err := l.Receive(ctx)
	if err == nil && string(got) != "hello" {
		t.Errorf("%q", got)
	}
	return "receive", err
}

func TestTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	_, _, cert, key := ca.issue("terminal", time.Hour)
	_, _, strangeCert, strangeKey := other.issue("terminal", time.Hour)
	good13 := ca.serve("host.test", time.Hour, tls.VersionTLS13, echo)
	good12 := ca.serve("host.test", time.Hour, tls.VersionTLS12, echo)
	for _, c := range []struct {
		what                string
		address             string
		ca, cert, key       []byte
		name                string
		step                string
		cause               Cause
		acceptLaterRefusals bool
	}{
		{what: "TLS 1.3", address: good13, ca: ca.pem, cert: cert, key: key, name: "host.test", step: "receive"},
		{what: "TLS 1.2", address: good12, ca: ca.pem, cert: cert, key: key, name: "host.test", step: "receive"},
		{what: "TLS 1.1", address: ca.serve("host.test", time.Hour, tls.VersionTLS11, echo), ca: ca.pem, cert: cert, key: key, name: "host.test", step: "connect", cause: TLSRefused},
		{what: "CA not pinned", address: good13, ca: other.pem, cert: cert, key: key, name: "host.test", step: "connect", cause: TLSRefused},
		{what: "other name", address: good13, ca: ca.pem, cert: cert, key: key, name: "other.test", step: "connect", cause: TLSRefused},
		{what: "name of the address", address: good13, ca: ca.pem, cert: cert, key: key, step: "connect", cause: TLSRefused},
		{what: "host certificate expired", address: ca.serve("host.test", -time.Minute, tls.VersionTLS13, echo), ca: ca.pem, cert: cert, key: key, name: "host.test", step: "connect", cause: TLSRefused},
		{what: "no client certificate, 1.2", address: good12, ca: ca.pem, name: "host.test", step: "connect", cause: TLSRefused},
		// Under TLS 1.3 the host looks at the client's certificate after the client has finished: the alert meets the first answer.
		{what: "no client certificate, 1.3", address: good13, ca: ca.pem, name: "host.test", step: "receive", cause: TLSRefused, acceptLaterRefusals: true},
		{what: "stranger's client certificate", address: good13, ca: ca.pem, cert: strangeCert, key: strangeKey, name: "host.test", step: "receive", cause: TLSRefused, acceptLaterRefusals: true},
	} {
		cfg, err := TLSConfig(c.ca, c.cert, c.key, c.name)
		if err != nil {
			t.Fatal(err)
		}
		step, err := try(t, c.address, cfg)
		if c.acceptLaterRefusals && step == "send" {
			step = "receive" // the alert may come before the request is written
		}
		if step != c.step || causeOf(err) != c.cause {
			// A host that refuses closes the line: that may be seen before its alert.
			if !(c.acceptLaterRefusals && causeOf(err) == Closed) {
				t.Errorf("%s: %s, %v", c.what, step, err)
			}
		}
	}
}

func TestNotTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "220 mail.test ready\r\n")
			c.Close()
		}
	}()
	cfg, err := TLSConfig(newAuthority(t).pem, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if step, err := try(t, l.Addr().String(), cfg); step != "connect" || causeOf(err) != TLSRefused {
		t.Errorf("%s, %v", step, err)
	}
	l.Close()
	if step, err := try(t, l.Addr().String(), cfg); step != "connect" || causeOf(err) != Unreachable {
		t.Errorf("nobody listens: %s, %v", step, err)
	}
}

// The line breaks in the middle of an answer, once by an alert and once by a reset.
func TestBrokenInsideAnswer(t *testing.T) {
	ca := newAuthority(t)
	_, _, cert, key := ca.issue("terminal", time.Hour)
	cfg, err := TLSConfig(ca.pem, cert, key, "host.test")
	if err != nil {
		t.Fatal(err)
	}
	for what, end := range map[string]func(c *tls.Conn){
		"close notify": func(c *tls.Conn) { c.CloseWrite() },
		"reset":        func(c *tls.Conn) { c.NetConn().(*net.TCPConn).SetLinger(0); c.NetConn().Close() },
		"garbage":      func(c *tls.Conn) { c.NetConn().Write([]byte("\x17\x03\x03\x00\x20garbage garbage garbage garbage.")) },
	} {
		address := ca.serve("host.test", time.Hour, tls.VersionTLS13, func(c net.Conn) {
			io.ReadFull(c, make([]byte, 7))
			c.Write([]byte("\x00\x05he"))
			end(c.(*tls.Conn))
		})
		step, err := try(t, address, cfg)
		want := Closed
		if what == "garbage" {
			want = TLSRefused
		}
		if step != "receive" || causeOf(err) != want {
			t.Errorf("%s: %s, %v", what, step, err)
		}
	}
}

func TestTLSConfigRefuses(t *testing.T) {
	ca := newAuthority(t)
	_, _, cert, key := ca.issue("terminal", time.Hour)
	_, _, _, otherKey := ca.issue("terminal", time.Hour)
	for what, in := range map[string][3][]byte{
		"no CA": {nil, cert, key}, "CA is not PEM": {[]byte("x"), cert, key}, "no key": {ca.pem, cert, nil}, "no certificate": {ca.pem, nil, key},
		"key of another": {ca.pem, cert, otherKey},
	} {
		if _, err := TLSConfig(in[0], in[1], in[2], ""); err == nil {
			t.Error(what)
		}
	}
}
