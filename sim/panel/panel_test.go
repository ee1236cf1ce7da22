package panel

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"posd/sim"
	"posd/sim/world"
)

const fakePosd = "PANEL_TEST_POSD"

// TestMain: with fakePosd set the test binary is a posd that shows the idle screen and waits.
func TestMain(m *testing.M) {
	if os.Getenv(fakePosd) != "" {
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGTERM) // also keeps the runtime from taking a program that waits for a deadlock
		fmt.Fprintln(os.Stderr, `{"screen":"idle","message":"screen"}`)
		<-told
		return
	}
	os.Exit(m.Run())
}

func open(t *testing.T) (*world.World, *Server) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Options{Posd: self, Fast: true, Env: []string{fakePosd + "=1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := Listen(w, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return w, s
}

// call sends a request and returns status and body.
func call(t *testing.T, r *http.Request) (int, string, http.Header) {
	t.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

func request(t *testing.T, method, target, body string, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == "POST" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// One world serves all the checks of the interface.
func TestInterface(t *testing.T) {
	w, s := open(t)
	base := s.URL()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("guard", func(t *testing.T) {
		root := "http://" + u.Host
		for name, c := range map[string]struct {
			r    *http.Request
			want int
		}{
			"no token":        {request(t, "GET", root+"/state", ""), 403},
			"root":            {request(t, "GET", root+"/", ""), 403},
			"wrong token":     {request(t, "GET", root+"/00000000000000000000000000000000/state", ""), 403},
			"no slash":        {request(t, "GET", strings.TrimSuffix(base, "/"), ""), 403},
			"foreign host":    {request(t, "GET", base+"state", "", "Host", "evil.example:"+u.Port()), 421},
			"other port":      {request(t, "GET", base+"state", "", "Host", "127.0.0.1:1"), 421},
			"host only":       {request(t, "GET", base+"state", "", "Host", "127.0.0.1"), 421},
			"other machine":   {request(t, "GET", base+"state", "", "Host", "10.0.0.1:"+u.Port()), 421},
			"foreign origin":  {request(t, "POST", base+"do", `{"action":"state"}`, "Origin", "http://evil.example"), 403},
			"null origin":     {request(t, "POST", base+"do", `{"action":"state"}`, "Origin", "null"), 403},
			"own origin":      {request(t, "POST", base+"do", `{"action":"state"}`, "Origin", root), 200},
			"localhost":       {request(t, "GET", base+"state", "", "Host", "localhost:"+u.Port()), 200},
			"right":           {request(t, "GET", base+"state", ""), 200},
			"the page itself": {request(t, "GET", base, ""), 200},
			"climbing out":    {request(t, "GET", base+"..%2f..%2fpanel.go", ""), 307},
			"no such file":    {request(t, "GET", base+"nothing.js", ""), 404},
		} {
			code, _, h := call(t, c.r)
			if code != c.want {
				t.Errorf("%s: %d; want %d", name, code, c.want)
			}
			if h.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s: headers %v", name, h)
			}
		}
	})

	t.Run("bad input", func(t *testing.T) {
		for name, c := range map[string]struct {
			body string
			head []string
			want int
			text string
		}{
			"unknown action":  {`{"action":"dance"}`, nil, 404, "choose one of"},
			"empty":           {``, nil, 400, "the body must be"},
			"not JSON":        {`insert=x`, nil, 400, "the body must be"},
			"an array":        {`[]`, nil, 400, "the body must be"},
			"number":          {`{"action":5}`, nil, 400, "the body must be"},
			"args no list":    {`{"action":"insert","args":"x"}`, nil, 400, "the body must be"},
			"args of numbers": {`{"action":"press","args":[1]}`, nil, 400, "the body must be"},
			"unknown field":   {`{"action":"state","sudo":true}`, nil, 400, "unknown field"},
			"two values":      {`{"action":"state"} {}`, nil, 400, "more than one"},
			"oversized":       {`{"action":"scan","args":["text","` + strings.Repeat("x", maxBody) + `"]}`, nil, 413, "larger than"},
			"form":            {`action=state`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "application/json"},
			"usage":           {`{"action":"insert"}`, nil, 400, "usage: insert CARD"},
			"state of things": {`{"action":"remove"}`, nil, 409, "no card"},
			"wait in vain":    {`{"action":"wait","args":["screen=never","timeout=5ms"]}`, nil, 504, "did not happen"},
		} {
			code, body, _ := call(t, request(t, "POST", base+"do", c.body, c.head...))
			if code != c.want || !strings.Contains(body, c.text) {
				t.Errorf("%s: %d %.200s; want %d with %q", name, code, body, c.want, c.text)
			}
			var a Answer
			if err := json.Unmarshal([]byte(body), &a); err != nil || a.Error == "" {
				t.Errorf("%s: the answer is no error in JSON: %.100s", name, body)
			}
		}
		code, body, _ := call(t, request(t, "POST", base+"do", `{"action":"insert","args":["gold"]}`))
		var a Answer
		if err := json.Unmarshal([]byte(body), &a); err != nil || code != 404 || len(a.Choose) < 5 {
			t.Errorf("a bad name does not list the good ones: %d %s", code, body)
		}
		if code, _, _ := call(t, request(t, "GET", base+"do", "")); code != 405 && code != 404 {
			t.Errorf("GET do: %d", code)
		}
	})

	t.Run("looks", func(t *testing.T) {
		for path, kind := range map[string]string{
			"state": "application/json", "catalog": "application/json", "actions": "application/json", "journal": "application/json",
			"receipts": "application/json", "ledger/acquirer": "application/json", "ledger/alipay": "application/json",
			"trace?limit=3&source=world": "application/json", "paper.txt": "text/plain; charset=utf-8",
			"lcd.png": "image/png", "paper.png": "image/png", "app.js": "text/javascript; charset=utf-8", "style.css": "text/css; charset=utf-8",
		} {
			code, body, h := call(t, request(t, "GET", base+path, ""))
			if code != 200 || h.Get("Content-Type") != kind {
				t.Errorf("%s: %d %s", path, code, h.Get("Content-Type"))
			}
			if kind == "image/png" {
				if _, err := png.Decode(strings.NewReader(body)); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			}
			if kind == "application/json" && !json.Valid([]byte(body)) {
				t.Errorf("%s: %.80s", path, body)
			}
		}
		for _, path := range []string{"receipts/1.png", "receipts/x.png", "receipts/1.exe", "ledger/none"} {
			if code, _, _ := call(t, request(t, "GET", base+path, "")); code != 404 {
				t.Errorf("%s: %d", path, code)
			}
		}
	})

	t.Run("events", func(t *testing.T) {
		next := follow(t, base)
		seen := map[string]string{}
		for len(seen) < 4 {
			name, data := next()
			seen[name] = data
			if name == "paper" && len(seen) < 4 {
				w.Hub().Add(sim.Event{Source: "world", Summary: "hello"})
			}
		}
		var st world.State
		if err := json.Unmarshal([]byte(seen["state"]), &st); err != nil || st.Screen != "off" {
			t.Errorf("state %s: %v", seen["state"], err)
		}
		var lcd struct{ PNG string }
		if err := json.Unmarshal([]byte(seen["lcd"]), &lcd); err != nil {
			t.Error(err)
		}
		b, err := base64.StdEncoding.DecodeString(lcd.PNG)
		if err != nil {
			t.Error(err)
		}
		if _, err := png.Decode(bytes.NewReader(b)); err != nil {
			t.Error(err)
		}
		if !strings.Contains(seen["trace"], `"events"`) {
			t.Errorf("trace %s", seen["trace"])
		}
		if err := w.PowerOn(); err != nil {
			t.Fatal(err)
		}
		for {
			name, data := next()
			if name == "state" && strings.Contains(data, `"screen":"idle"`) {
				break
			}
		}
	})

	t.Run("slow client", func(t *testing.T) {
		// One client takes nothing at all: its socket fills up. Devices must not notice, and another client gets its events or is
		// told how many it missed.
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "GET %sevents HTTP/1.1\r\nHost: %s\r\n\r\n", u.Path, u.Host)
		next := follow(t, base)
		big := strings.Repeat("x", 2000)
		const n = 20000
		start := time.Now()
		for i := range n {
			w.Hub().Add(sim.Event{Source: "reader", Summary: fmt.Sprint("burst ", i), Detail: []sim.Field{{Name: "data", Value: big}}})
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("a client that does not read holds the devices up: %v for %d events", d, n)
		}
		var dropped uint64
		for {
			name, data := next()
			if name != "trace" {
				continue
			}
			var m struct {
				Dropped uint64
				Events  []sim.Event
			}
			if err := json.Unmarshal([]byte(data), &m); err != nil {
				t.Fatal(err)
			}
			dropped += m.Dropped
			if len(m.Events) > 0 && m.Events[len(m.Events)-1].Summary == fmt.Sprint("burst ", n-1) {
				break
			}
		}
		t.Logf("%d events dropped for a client", dropped)
	})
}

// follow opens the event stream; the function returned gives the next message.
func follow(t *testing.T, base string) func() (name, data string) {
	t.Helper()
	res, err := http.DefaultTransport.RoundTrip(request(t, "GET", base+"events", ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if ct := res.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Fatalf("event stream of type %s", ct)
	}
	r := bufio.NewReader(res.Body)
	return func() (name, data string) {
		for {
			l, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			l = strings.TrimSuffix(l, "\n")
			switch {
			case strings.HasPrefix(l, "event: "):
				name = l[7:]
			case strings.HasPrefix(l, "data: "):
				data = l[6:]
			case l == "" && name != "":
				return name, data
			}
		}
	}
}

func TestListenOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "example.com:0", "127.0.0.1", ""} {
		if s, err := Listen(nil, addr); err == nil {
			t.Errorf("%q: taken", addr)
			_ = s.Close()
		}
	}
}
