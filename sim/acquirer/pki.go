package acquirer

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// pki is a CA, the host's certificate and the terminal's, all made at the first Start and valid for ten years.
type pki struct {
	ca        []byte // PEM
	pool      *x509.CertPool
	host      tls.Certificate
	cert, key []byte // of the terminal, PEM
}

// makePKI makes the certificates once. h.mu is held.
func (h *Host) makePKI() error {
	if h.pki != nil {
		return nil
	}
	p, err := newPKI(h.opt.Now())
	if err != nil {
		return fmt.Errorf("acquirer host: certificates: %w", err)
	}
	h.pki = p
	return nil
}

func newPKI(now time.Time) (*pki, error) {
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name, Organization: []string{"Virtual acquirer"}},
			// A terminal's clock may be behind or ahead by a day.
			NotBefore: now.AddDate(0, 0, -2), NotAfter: now.AddDate(10, 0, 0),
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := template(1, "Virtual acquirer CA")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return nil, err
	}
	issue := func(c *x509.Certificate) (cert, key []byte, err error) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, nil, err
		}
		der, err := x509.CreateCertificate(rand.Reader, c, ca, k.Public(), caKey)
		if err != nil {
			return nil, nil, err
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
		return encodePEM("CERTIFICATE", der), encodePEM("PRIVATE KEY", pkcs8), err
	}
	host := template(2, "acquirer.invalid")
	host.DNSNames, host.IPAddresses = []string{"acquirer.invalid", "localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	host.KeyUsage, host.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	hostCert, hostKey, err := issue(host)
	if err != nil {
		return nil, err
	}
	p := &pki{ca: encodePEM("CERTIFICATE", caDER), pool: x509.NewCertPool()}
	p.pool.AppendCertsFromPEM(p.ca)
	if p.host, err = tls.X509KeyPair(hostCert, hostKey); err != nil {
		return nil, err
	}
	terminal := template(3, "Virtual terminal")
	terminal.KeyUsage, terminal.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	p.cert, p.key, err = issue(terminal)
	return p, err
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// CA returns the certificate, in PEM, by which the terminal knows the host. It is nil before the first Start.
func (h *Host) CA() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pki == nil {
		return nil
	}
	return bytes.Clone(h.pki.ca)
}

// ClientCert returns the terminal's certificate and private key in PEM. They are nil before the first Start.
func (h *Host) ClientCert() (cert, key []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pki == nil {
		return nil, nil
	}
	return bytes.Clone(h.pki.cert), bytes.Clone(h.pki.key)
}

// tlsConfig asks every terminal for its certificate. Under "tls-refused" no certificate is good.
func (h *Host) tlsConfig() *tls.Config {
	pool := h.pki.pool
	if h.hit(TLSRefused, "") {
		pool = x509.NewCertPool()
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{h.pki.host},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	}
}
