package netlink

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// TLSConfig makes the client side of a mutual TLS connection, 1.2 or 1.3. The host must show a certificate that one of the CAs in
// caPEM has issued, and no other CA counts: the system's store is not used. serverName is the name in the host's certificate; "" takes the
// host part of the address. certPEM and keyPEM are the terminal's certificate and private key; both empty is a host that asks
// for none.
func TLSConfig(caPEM, certPEM, keyPEM []byte, serverName string) (*tls.Config, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(caPEM) {
		return nil, errors.New("netlink: the CA file has no certificate")
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13, RootCAs: roots, ServerName: serverName}
	if len(certPEM) != 0 || len(keyPEM) != 0 {
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			return nil, fmt.Errorf("netlink: terminal certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
