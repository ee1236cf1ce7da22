package alipay

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// handle answers one request, with the faults that are switched on for its method.
func (g *Gateway) handle(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Path == movedPath {
		g.mu.Lock()
		defer g.mu.Unlock()
		_, _ = w.Write(g.moved)
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != path {
		http.NotFound(w, r)
		return
	}
	q, no := g.read(r)
	g.traceRequest(q, no)
	fault := func(name string) bool { return g.hasLocked(name, q.method) }
	if fault("query-down") || fault("cancel-down") || fault("request-lost") {
		g.trace.Emit("alipay", "", "fault: request dropped")
		panic(http.ErrAbortHandler)
	}
	var f []field
	if no != nil {
		f = no.fields("")
	} else {
		g.mu.Lock()
		f = g.do(q)
		g.mu.Unlock()
		g.flush()
	}
	switch {
	case fault("reply-lost"), fault("cancel-lost"):
		g.trace.Emit("alipay", "", "fault: answer lost")
		panic(http.ErrAbortHandler)
	case fault("reply-late"):
		g.trace.Emit("alipay", "", "fault: answer late")
		if !pause(r, g.late) {
			panic(http.ErrAbortHandler)
		}
	case fault("system-error"):
		f = (&refusal{"20000", "isp.unknow-error", "系统繁忙"}).fields("")
	case fault("wrong-amount"):
		f = alter(f, "total_amount", func(s string) string { n, _ := fen(s); return yuan(n + 1) })
	case fault("wrong-order"):
		f = alter(f, "out_trade_no", func(s string) string { return s[:max(0, len(s)-1)] + "X" })
	case fault("unknown-status"):
		f = alter(f, "trade_status", func(string) string { return "TRADE_DREAMING" })
	case fault("duplicate-keys"):
		f = append([]field{{"code", "40004"}}, f...)
	}
	g.traceAnswer(q.method, f)
	body := g.envelope(q.method, f)
	switch {
	case fault("bad-signature"):
		body = g.sealed(q.method, node(f), func(sign []byte) { sign[len(sign)/2] ^= 1 })
	case fault("unsigned"):
		body = []byte(`{"` + nodeName(q.method) + `":` + string(node(f)) + `}`)
	case fault("error-unsigned"):
		body = []byte(`{"error_response":` + string(node((&refusal{"20000", "isp.unknow-error", "系统繁忙"}).fields(""))) + `}`)
	case fault("redirect"):
		g.mu.Lock()
		g.moved = body
		g.mu.Unlock()
		http.Redirect(w, r, movedPath, http.StatusFound)
		return
	case fault("html-200"):
		body = []byte("<!DOCTYPE html><html><body>请登录网络 Please sign in to the network</body></html>")
	case fault("huge-body"):
		body = append(bytes.Repeat([]byte(" "), 10<<20), body...)
	}
	w.Header().Set("Content-Type", "text/html;charset=utf-8") // as the real gateway labels its JSON
	if fault("slow-body") {
		g.dripOut(w, r, body)
		return
	}
	_, _ = w.Write(body) // a client that has gone is its own business
}

func (g *Gateway) hasLocked(name, method string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.has(name, method)
}

// pause waits, unless the client goes first.
func pause(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (g *Gateway) dripOut(w http.ResponseWriter, r *http.Request, body []byte) {
	for i := range body {
		if _, err := w.Write(body[i : i+1]); err != nil {
			return
		}
		if http.NewResponseController(w).Flush() != nil || !pause(r, g.drip) {
			return
		}
	}
}

func alter(f []field, name string, change func(string) string) []field {
	for i := range f {
		if s, ok := f[i].value.(string); ok && f[i].name == name {
			f[i].value = change(s)
		}
	}
	return f
}

func nodeName(method string) string { return strings.ReplaceAll(method, ".", "_") + "_response" }

// node writes an answer node with the members in their order and slashes escaped, as the real gateway does: a verifier that writes
// the JSON anew gets other bytes.
func node(f []field) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, x := range f {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(x.name)
		value, err := json.Marshal(x.value)
		if err != nil {
			value = []byte("null")
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(bytes.ReplaceAll(value, []byte("/"), []byte(`\/`)))
	}
	b.WriteByte('}')
	return b.Bytes()
}

func (g *Gateway) envelope(method string, f []field) []byte {
	return g.sealed(method, node(f), func([]byte) {})
}

func (g *Gateway) sealed(method string, node []byte, spoil func([]byte)) []byte {
	sum := sha256.Sum256(node)
	sign, err := rsa.SignPKCS1v15(rand.Reader, g.keys.Platform, crypto.SHA256, sum[:])
	if err != nil {
		return nil
	}
	spoil(sign)
	return []byte(`{"` + nodeName(method) + `":` + string(node) + `,"sign":"` + base64.StdEncoding.EncodeToString(sign) + `"}`)
}
