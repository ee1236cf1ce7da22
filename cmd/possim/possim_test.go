package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"posd/sim/panel"
	"posd/sim/world"
)

// idlePosd is a program that says what posd says when it is ready, and waits.
func idlePosd(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "posd")
	script := "#!/bin/sh\necho '{\"screen\":\"idle\",\"message\":\"screen\"}' >&2\nexec sleep 1000\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommandLine(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("POSSIM_URL", "")
	for line, want := range map[string]struct {
		code int
		text string
	}{
		"":                                      {exitUsage, "usage: possim COMMAND"},
		"dance":                                 {exitUsage, "unknown command"},
		"help":                                  {exitOK, "usage: possim COMMAND"},
		"run -h":                                {exitOK, "-posd"},
		"run now":                               {exitUsage, "flags only"},
		"run -lang fr":                          {exitUsage, "zh or en"},
		"run -lcd 7x7":                          {exitUsage, "WIDTHxHEIGHT"},
		"run -timeouts card=x":                  {exitUsage, "NAME=SECONDS"},
		"run -posd /nonexistent":                {exitFailed, "posd binary"},
		"run -posd /bin/true -vpcd 1.2.3.4.5:1": {exitFailed, "vpcd: listen"},
		"card":                                  {exitUsage, "usage: possim card PROFILE"},
		"card -h":                               {exitOK, "unionpay-debit"},
		"card gold silver":                      {exitUsage, "usage: possim card PROFILE"},
		"card gold":                             {exitFailed, "no card and no profile file named \"gold\""},
		"card possim_test.go":                   {exitFailed, "profile"},
		"card visa-debit -vpcd 127.0.0.1:1":     {exitFailed, "no reader there"},
		"demo now":                              {exitUsage, "flags only"},
		"demo -posd /nonexistent":               {exitFailed, "posd binary"},
		"do":                                    {exitUsage, "insert CARD"},
		"do state":                              {exitFailed, "no virtual terminal is running"},
		"do -dir /nonexistent x":                {exitFailed, "no virtual terminal is running"},
	} {
		var out bytes.Buffer
		if code := command(strings.Fields(line), &out, &out); code != want.code || !strings.Contains(out.String(), want.text) {
			t.Errorf("possim %s: exit %d\n%s", line, code, out.String())
		}
	}
}

func TestInstanceFile(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("POSSIM_URL", "")
	forgetOne, err := announce(instance{URL: "http://one/", PID: 1, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	two := t.TempDir()
	forgetTwo, err := announce(instance{URL: "http://two/", PID: 2, Dir: two})
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(filepath.Join(two, instanceFile))
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the file with the token: %v, %v", fi.Mode(), err)
	}
	if u, err := findInstance(""); err != nil || u != "http://two/" {
		t.Errorf("found %s, %v", u, err)
	}
	forgetOne() // an older one that ends later does not take the younger one's place away
	if u, err := findInstance(""); err != nil || u != "http://two/" {
		t.Errorf("found %s, %v", u, err)
	}
	t.Setenv("POSSIM_URL", "http://three/")
	if u, err := findInstance(""); err != nil || u != "http://three/" {
		t.Errorf("found %s, %v", u, err)
	}
	if u, err := findInstance(two); err != nil || u != "http://two/" {
		t.Errorf("found %s, %v", u, err)
	}
	forgetTwo()
	if _, err := findInstance(two); err == nil {
		t.Error("found what was forgotten")
	}
}

// The directory below the shared temporary one must be ours alone: the token is in it.
func TestStateDirIsPrivate(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("TMPDIR", t.TempDir())
	d, err := stateDir()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(d, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := stateDir(); err == nil {
		t.Error("a directory that others can read is taken")
	}
	if err := os.Remove(d); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), d); err != nil {
		t.Fatal(err)
	}
	if _, err := stateDir(); err == nil {
		t.Error("a link is taken")
	}
}

func TestAct(t *testing.T) {
	var got panel.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token/lcd.png" {
			fmt.Fprint(w, "picture")
			return
		}
		got = panel.Request{}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		switch got.Action {
		case "bad":
			w.WriteHeader(404)
			fmt.Fprint(w, `{"error":"no such thing","choose":["good"]}`)
		case "broken":
			w.WriteHeader(500)
		case "paper":
			fmt.Fprint(w, `{"result":"text"}`)
		case "journal":
			fmt.Fprint(w, `{"result":[{"no": 1},{"no": 2}]}`)
		case "trace":
			fmt.Fprint(w, `{"result":[{"seq":7,"source":"reader","dir":">","summary":"SELECT"}]}`)
		default:
			fmt.Fprint(w, `{"result":{"a":1}}`)
		}
	}))
	defer s.Close()
	base := s.URL + "/token/"
	for line, want := range map[string]string{
		"paper":      "text\n",
		"journal":    "{\"no\":1}\n{\"no\":2}\n",
		"trace":      "reader   > SELECT",
		"state":      "{\n  \"a\": 1\n}\n",
		"wait x=y":   "",
		"insert one": "",
	} {
		var out bytes.Buffer
		err := act(base, strings.Fields(line), false, &out)
		if err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %q, %v", line, out.String(), err)
		}
		if f := strings.Fields(line); got.Action != f[0] || strings.Join(got.Args, " ") != strings.Join(f[1:], " ") {
			t.Errorf("%s: sent %+v", line, got)
		}
	}
	for line, want := range map[string]string{"bad": "no such thing", "broken": "500"} {
		if err := act(base, []string{line}, false, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if err := act("ftp://x/", []string{"state"}, false, &bytes.Buffer{}); err == nil {
		t.Error("an address that is none is taken")
	}
	file := filepath.Join(t.TempDir(), "lcd.png")
	if err := act(base, []string{"lcd", file}, false, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "picture" {
		t.Errorf("saved %q, %v", b, err)
	}
}

// The whole program with a posd that does nothing: one address on stdout, actions through it, and nothing left behind.
func TestRunAndDo(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("POSSIM_URL", "")
	t.Setenv("TMPDIR", t.TempDir())
	posd := idlePosd(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	var stderr bytes.Buffer
	go func() {
		done <- serve(ctx, world.Options{Posd: posd, Fast: true}, "127.0.0.1:0", true, w, &stderr)
		w.Close()
	}()
	buf := make([]byte, 200)
	if err := r.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, err := r.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/[0-9a-f]{32}/\n$`).Match(buf[:n]) {
		t.Errorf("stdout %q", buf[:n])
	}
	var out bytes.Buffer
	for _, line := range []string{"wait screen=idle", "insert unionpay-debit", "state", "trace source=world", "-json state", "help"} {
		if code := do(strings.Fields(line), &out, &out); code != exitOK {
			t.Errorf("possim do %s: exit %d: %s", line, code, out.String())
		}
	}
	for _, want := range []string{`"card": "unionpay-debit"`, "card inserted: unionpay-debit", "usage: possim do"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if rest, _ := r.Read(buf); rest != 0 {
		t.Errorf("more on stdout: %q", buf[:rest])
	}
	if !strings.Contains(stderr.String(), "power on") {
		t.Errorf("-v does not write the trace: %q", stderr.String())
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "possim-[0-9]*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A Chinese terminal is shown with Chinese headings, an English one with English ones.
func TestHeadingsOfTheDemo(t *testing.T) {
	han := func(r rune) bool { return unicode.Is(unicode.Han, r) }
	for _, s := range scenes {
		for lang, want := range map[string]bool{"zh": true, "": true, "en": false} {
			if h := s.heading(lang); h == "" || strings.ContainsFunc(h, han) != want {
				t.Errorf("%q: %s", lang, h)
			}
		}
	}
}

// The demonstration is made of actions that exist.
func TestScenesAreActions(t *testing.T) {
	known := map[string]bool{}
	for _, a := range world.Actions {
		known[a.Name] = true
	}
	for _, s := range scenes {
		for _, step := range s.steps {
			f := strings.Fields(step)
			if !known[f[0]] {
				t.Errorf("%s: no such action", step)
			}
			if f[0] == "wait" {
				if _, _, err := world.ParsePattern(f[1:]); err != nil {
					t.Errorf("%s: %v", step, err)
				}
			}
		}
	}
}
