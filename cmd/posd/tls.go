package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"posd/netlink"
)

// tls makes the terminal's side of the acquirer's TLS connection out of the files named in posd.toml.
func (s *settings) tls() (*tls.Config, error) {
	a := s.conf.Acquirer
	ca, err := os.ReadFile(a.CA)
	var cert, key []byte
	if a.Cert != "" {
		var e1, e2 error
		cert, e1 = os.ReadFile(a.Cert)
		key, e2 = os.ReadFile(a.Key)
		err = errors.Join(err, e1, e2)
	}
	if err != nil {
		return nil, fmt.Errorf("config: acquirer: %w", err)
	}
	t, err := netlink.TLSConfig(ca, cert, key, a.ServerName)
	if err != nil {
		return nil, fmt.Errorf("config: acquirer: %w", err)
	}
	return t, nil
}
