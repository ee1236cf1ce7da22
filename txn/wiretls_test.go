package txn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"time"

	"posd/netlink"
	simacquirer "posd/sim/acquirer"
)

// security is mutual TLS between terminal and acquirer on a line in memory.
type security struct {
	client *tls.Config
	server *tls.Config
	strict *tls.Config // no terminal certificate is good
}

func newSecurity() (_ *security, err error) {
	issue := func(name string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (der []byte, cert *x509.Certificate, key *ecdsa.PrivateKey) {
		key, kerr := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err = errors.Join(err, kerr); err != nil {
			return nil, nil, nil
		}
		c := &x509.Certificate{
			SerialNumber: big.NewInt(int64(len(name))), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
			NotBefore: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		if parent == nil {
			parent, signer = c, key
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		}
		if der, err = x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer); err != nil {
			return nil, nil, nil
		}
		cert, err = x509.ParseCertificate(der)
		return der, cert, key
	}
	caDER, ca, caKey := issue("test authority", nil, nil)
	if err != nil {
		return nil, err
	}
	hostDER, _, hostKey := issue("acquirer.test", ca, caKey)
	termDER, _, termKey := issue("terminal", ca, caKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(termKey)
	if err != nil {
		return nil, err
	}
	enc := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	out := &security{}
	if out.client, err = netlink.TLSConfig(enc("CERTIFICATE", caDER), enc("CERTIFICATE", termDER), enc("PRIVATE KEY", keyDER), "acquirer.test"); err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	server := func(pool *x509.CertPool) *tls.Config {
		return &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{hostDER}, PrivateKey: hostKey}},
			ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true,
		}
	}
	out.server, out.strict = server(pool), server(x509.NewCertPool())
	return out, nil
}

// host is the acquirer's end of a line under TLS.
func (s *security) host(far net.Conn, h *simacquirer.Host) net.Conn {
	for _, f := range h.ActiveFaults() {
		if f.Name == simacquirer.TLSRefused {
			return tls.Server(far, s.strict)
		}
	}
	return tls.Server(far, s.server)
}
