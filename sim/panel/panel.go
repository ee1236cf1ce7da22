// Package panel is the front panel of the virtual terminal: a page for people and an HTTP/JSON interface for scripts, over the same
// actions of sim/world.
//
// It listens on the loopback interface only. Its address has a random token as the first part of the path, and a request without it
// gets nothing, so that no page of another site and no other user of the machine can press keys; the Host header is checked too,
// against names that are made to point at this machine. There is no cross-origin access and no external resource.
package panel

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"posd/sim/world"
)

//go:embed static
var static embed.FS

// Server is the front panel of one world.
type Server struct {
	world *world.World
	token string
	ln    net.Listener
	http  *http.Server
	stop  context.CancelFunc
	done  chan struct{}
}

// Listen opens the panel on addr, a loopback address such as "127.0.0.1:0" (port 0 is any free one).
func Listen(w *world.World, addr string) (*Server, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("panel: address %.60q: want 127.0.0.1:PORT", addr)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("panel: address %.60q is reachable from other machines: want a loopback address such as 127.0.0.1:0", addr)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("panel: %w", err)
	}
	var t [16]byte
	rand.Read(t[:])
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{world: w, token: hex.EncodeToString(t[:]), ln: ln, stop: stop, done: make(chan struct{})}
	s.http = &http.Server{
		Handler:           s.guard(s.routes()),
		ReadHeaderTimeout: 5 * time.Second,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // so that Close ends the event streams
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(ln) // ends with Close; there is nobody to tell
	}()
	return s, nil
}

// URL is the address of the page, token and all.
func (s *Server) URL() string { return "http://" + s.ln.Addr().String() + "/" + s.token + "/" }

// Close ends the panel and all its connections.
func (s *Server) Close() error {
	s.stop()
	err := s.http.Close()
	<-s.done
	return err
}

// policy keeps the page to itself.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard lets through what has the right Host and the token, with the token taken off the path.
func (s *Server) guard(next http.Handler) http.Handler {
	_, port, _ := net.SplitHostPort(s.ln.Addr().String()) // an address that a listener has is well formed
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		host, p, err := net.SplitHostPort(r.Host)
		if ip := net.ParseIP(host); err != nil || p != port || (host != "localhost" && (ip == nil || !ip.IsLoopback())) {
			fail(w, http.StatusMisdirectedRequest, errors.New("wrong Host header"))
			return
		}
		if o := r.Header.Get("Origin"); o != "" {
			if u, err := url.Parse(o); err != nil || u.Host != r.Host {
				fail(w, http.StatusForbidden, errors.New("requests of other sites are not taken"))
				return
			}
		}
		token, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) != 1 || !ok {
			fail(w, http.StatusForbidden, errors.New("the token is missing or wrong: use the address that possim printed"))
			return
		}
		r2 := r.Clone(r.Context())
		r2.URL.Path, r2.URL.RawPath = "/"+rest, ""
		next.ServeHTTP(w, r2)
	})
}

func (s *Server) routes() http.Handler {
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic("panel: static files are embedded: " + err.Error())
	}
	m := http.NewServeMux()
	m.Handle("GET /", http.FileServerFS(files))
	m.HandleFunc("POST /do", s.do)
	m.HandleFunc("GET /events", s.events)
	m.HandleFunc("GET /lcd.png", func(w http.ResponseWriter, _ *http.Request) {
		b, _, err := s.world.LCD()
		picture(w, b, err)
	})
	m.HandleFunc("GET /paper.png", func(w http.ResponseWriter, _ *http.Request) {
		b, err := s.world.PaperPNG()
		picture(w, b, err)
	})
	m.HandleFunc("GET /paper.txt", func(w http.ResponseWriter, r *http.Request) { s.text(w, r, "paper") })
	m.HandleFunc("GET /receipts/{name}", s.receipt)
	for path, action := range map[string][]string{
		"state": {"state"}, "catalog": {"catalog"}, "actions": {"help"}, "journal": {"journal"}, "receipts": {"receipts"},
		"ledger/acquirer": {"ledger", "acquirer"}, "ledger/alipay": {"ledger", "alipay"},
	} {
		m.HandleFunc("GET /"+path, func(w http.ResponseWriter, r *http.Request) { s.look(w, r, action[0], action[1:]) })
	}
	m.HandleFunc("GET /trace", s.trace)
	return m
}

// Request is the body of POST do.
type Request struct {
	Action string   `json:"action"`
	Args   []string `json:"args"`
}

// Answer is what POST do and every refused request answer.
type Answer struct {
	Result any      `json:"result,omitempty"`
	Error  string   `json:"error,omitempty"`
	Choose []string `json:"choose,omitempty"` // the good names, when a name was bad
}

// maxBody is the largest request taken; the longest action is a scan of a long text.
const maxBody = 16 << 10

// bodyTime is how long a request's body may take to arrive.
const bodyTime = 10 * time.Second

func (s *Server) do(w http.ResponseWriter, r *http.Request) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		fail(w, http.StatusUnsupportedMediaType, errors.New("the body must be application/json"))
		return
	}
	// Only the body is timed: a wait, or the event stream, may last.
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(bodyTime)) // a connection without deadlines has none to miss
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	var q Request
	err := d.Decode(&q)
	if err == nil && d.Decode(&struct{}{}) != io.EOF {
		err = errors.New("more than one value")
	}
	if big := (*http.MaxBytesError)(nil); errors.As(err, &big) {
		fail(w, http.StatusRequestEntityTooLarge, fmt.Errorf("the body is larger than %d bytes", maxBody))
		return
	}
	if err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf(`the body must be {"action": "...", "args": ["...", ...]}: %w`, err))
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	res, err := s.world.Do(r.Context(), q.Action, q.Args)
	if err != nil {
		fail(w, status(err), err)
		return
	}
	reply(w, http.StatusOK, Answer{Result: res})
}

// status tells apart who is to blame: 404 a name that does not exist, 400 a wrong call, 504 a wait in vain, 409 the state of things.
func status(err error) int {
	switch n, u := (*world.NameError)(nil), (*world.UsageError)(nil); {
	case errors.As(err, &n):
		return http.StatusNotFound
	case errors.As(err, &u):
		return http.StatusBadRequest
	case errors.Is(err, world.ErrWait):
		return http.StatusGatewayTimeout
	}
	return http.StatusConflict
}

// look answers with the bare result of an action that only looks.
func (s *Server) look(w http.ResponseWriter, r *http.Request, action string, args []string) {
	res, err := s.world.Do(r.Context(), action, args)
	if err != nil {
		fail(w, status(err), err)
		return
	}
	reply(w, http.StatusOK, res)
}

func (s *Server) text(w http.ResponseWriter, r *http.Request, action string) {
	res, err := s.world.Do(r.Context(), action, nil)
	if err != nil {
		fail(w, status(err), err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprint(w, res) // a client that went away is nobody's concern
}

func (s *Server) trace(w http.ResponseWriter, r *http.Request) {
	var args []string
	for k, v := range r.URL.Query() {
		args = append(args, k+"="+v[0])
	}
	s.look(w, r, "trace", args)
}

func (s *Server) receipt(w http.ResponseWriter, r *http.Request) {
	num, ext, _ := strings.Cut(r.PathValue("name"), ".")
	n, err := strconv.Atoi(num)
	if err != nil || (ext != "png" && ext != "txt") {
		fail(w, http.StatusNotFound, errors.New("want receipts/N.png or receipts/N.txt"))
		return
	}
	text, png, err := s.world.Receipt(n)
	switch {
	case err != nil:
		fail(w, status(err), err)
	case ext == "png":
		picture(w, png, nil)
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, text) // a client that went away is nobody's concern
	}
}

func picture(w http.ResponseWriter, b []byte, err error) {
	if err != nil {
		fail(w, http.StatusConflict, err)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(b) // a client that went away is nobody's concern
}

func fail(w http.ResponseWriter, code int, err error) {
	a := Answer{Error: err.Error()}
	if n := (*world.NameError)(nil); errors.As(err, &n) {
		a.Choose = n.Choose
	}
	reply(w, code, a)
}

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // a client that went away is nobody's concern
}
