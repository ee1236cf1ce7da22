package alipay

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"posd/qrpay"
)

// line sends one form at a time over a connection of its own.
type line struct {
	url     string
	timeout time.Duration
	client  http.Client
}

func newLine(c Config) line {
	dial := c.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: c.Timeout}).DialContext
	}
	return line{
		url:     c.Gateway,
		timeout: c.Timeout,
		client: http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
					c, err := dial(ctx, network, addr)
					// What has not left when a request is given up must not leave later: a closed TCP connection goes on
					// retransmitting for minutes, and the order would be paid after its cancel was confirmed.
					if tcp, ok := c.(interface{ SetLinger(sec int) error }); ok {
						_ = tcp.SetLinger(0) // fails only on a connection that is gone already
					}
					return c, err
				},
				TLSClientConfig:        &tls.Config{RootCAs: c.RootCAs, ServerName: c.ServerName, MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout:    c.Timeout,
				DisableKeepAlives:      true, // net/http may repeat a request on a connection that went stale
				DisableCompression:     true, // the bound is on the bytes that arrive
				MaxResponseHeaderBytes: 16 << 10,
			},
		},
	}
}

// post sends a form and returns the body of the answer. Its error wraps qrpay.ErrNotSent when there never was a connection that
// the request could have been written to.
func (l *line) post(ctx context.Context, form url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("alipay: %w: %w", qrpay.ErrNotSent, err)
	}
	req.GetBody = nil // a request is written once
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")
	req.Header.Set("User-Agent", "posd")
	resp, err := l.client.Do(req)
	if err != nil {
		if !connected.Load() {
			return nil, fmt.Errorf("alipay: no connection: %w: %w", qrpay.ErrNotSent, err)
		}
		return nil, fmt.Errorf("alipay: no answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("alipay: HTTP status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("alipay: answer broke off: %w", err)
	}
	if len(body) > maxBody {
		return nil, &AnswerError{"", maxBody, "body is too long"}
	}
	return body, nil
}
