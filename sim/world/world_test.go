package world

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"posd/hal"
	"posd/sim"
	"posd/sim/alipay"
	"posd/sim/card"
	"posd/sim/vpcd"
)

// walletKeys are made once: RSA keys take their time.
var walletKeys = sync.OnceValue(func() *alipay.Keys {
	k, err := alipay.NewKeys()
	if err != nil {
		panic(err)
	}
	return k
})

func newWorld(t *testing.T, o Options) *World {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Posd, o.Fast, o.walletKeys = self, true, walletKeys()
	if o.Env == nil {
		o.Env = []string{fakePosd + "=run"}
	}
	w, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// do carries out an action written as in the shell.
func do(t *testing.T, w *World, line string) any {
	t.Helper()
	f := strings.Fields(line)
	res, err := w.Do(t.Context(), f[0], f[1:])
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return res
}

func refuse(t *testing.T, w *World, line, want string) {
	t.Helper()
	f := strings.Fields(line)
	if _, err := w.Do(t.Context(), f[0], f[1:]); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v; want %q", line, err, want)
	}
}

func files() int {
	e, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(e)
}

// A whole life: power, keys, paper, a cut at a chosen line, power again, and nothing left behind.
func TestLife(t *testing.T) {
	goroutines, fds := runtime.NumGoroutine(), files()
	w := newWorld(t, Options{})
	dir := w.Dir()

	refuse(t, w, "press 1", "no power")
	do(t, w, "power on")
	do(t, w, "power on") // it is on already
	do(t, w, "wait screen=idle")
	if s := w.State(); !s.Power || s.Posd != "running" || s.Screen != "idle" {
		t.Fatalf("state %+v", s)
	}
	if _, err := hal.LoadBoard(filepath.Join(dir, "board.toml")); err != nil {
		t.Errorf("the board file: %v", err)
	}
	first := w.child.Load().cmd.Process.Pid

	do(t, w, "press 7 ok")
	do(t, w, "wait printer=line nth=3") // paper and log come on lines of their own, in any order; a screen that is shown counts later too
	do(t, w, "wait screen=printed")
	var codes []string
	for _, e := range w.Trace(1, 0, "posd") {
		if c := fieldOf(e, "code"); c != "" {
			codes = append(codes, c)
		}
	}
	if got := strings.Join(codes, " "); got != "8 28" {
		t.Errorf("posd saw the keys %s", got)
	}
	if text := do(t, w, "paper").(string); !strings.Contains(text, "line 1") {
		t.Errorf("paper %q", text)
	}
	w.fb.look()
	if img := w.fb.image(); img.Pix[0] != 255 {
		t.Errorf("the display does not show the red pixel")
	}

	// The cut happens before the printer goes on: posd is dead when the second line has passed.
	do(t, w, "tear")
	do(t, w, "cut when printer=line nth=2")
	do(t, w, "press enter")
	do(t, w, "wait world=power timeout=20s nth=2") // armed, cut
	for w.State().Power {
		<-w.Changed()
	}
	w.PowerCut() // nothing to do, but it waits until the sequence is over
	if err := syscall.Kill(first, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("posd lives on without power: %v", err)
	}
	if s := w.State(); s.Posd != "off" || s.Screen != "off" || len(s.Armed) != 0 {
		t.Errorf("state %+v", s)
	}
	if img := w.fb.image(); img.Pix[0] != 0 {
		t.Error("the display is lit without power")
	}
	if _, err := os.Lstat(filepath.Join(dir, "printer")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the printer's line is still there: %v", err)
	}

	do(t, w, "power on")
	do(t, w, "wait screen=idle")
	if second := w.child.Load().cmd.Process.Pid; second == first {
		t.Error("posd was not started again")
	}
	if j := do(t, w, "journal"); len(j.([]json.RawMessage)) != 1 {
		t.Errorf("journal %s", j)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the run directory is still there: %v", err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for (runtime.NumGoroutine() > goroutines+1 || files() > fds) && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if g, f := runtime.NumGoroutine(), files(); g > goroutines+1 || f > fds {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines (were %d), %d files (were %d) after Close\n%s", g, goroutines, f, fds, buf[:runtime.Stack(buf, true)])
	}
}

func TestPosdThatEndsByItself(t *testing.T) {
	w := newWorld(t, Options{Env: []string{fakePosd + "=crash"}, Dir: t.TempDir()})
	do(t, w, "power on")
	do(t, w, "wait world=ended")
	if s := w.State(); s.Posd != "exit status 7" || !s.Power {
		t.Errorf("state %+v", s)
	}
	if s := do(t, w, "trace source=posd").([]sim.Event); len(s) != 1 || s[0].Summary != "panic: out of luck" {
		t.Errorf("posd said %v", s)
	}
	key, err := os.ReadFile(w.path("pinpad.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(w.path("pinpad.key")); err != nil || string(again) != string(key) {
		t.Error("a named run directory is not kept")
	}
}

// Everything that a person can get wrong is refused with a reason, and a bad name lists the good ones.
func TestActionsRefuse(t *testing.T) {
	w := newWorld(t, Options{})
	for line, want := range map[string]string{
		"dance":                         "choose one of: insert, remove",
		"insert":                        "usage: insert CARD",
		"insert vpcd":                   "start the terminal with -vpcd",
		"insert gold":                   "choose one of: unionpay-debit",
		"insert a b":                    "usage",
		"remove":                        "no card",
		"tap unionpay-debit":            "not supported yet",
		"tap gold":                      "choose one of",
		"scan brick":                    "choose one of: huabei-good",
		"scan":                          "usage",
		"phone brick confirm":           "choose one of: huabei-good",
		"phone huabei-good confirm":     "no payment waits",
		"phone huabei-good dance":       "choose one of: confirm, refuse, scan",
		"phone huabei-good scan":        "no QR code",
		"press":                         "usage",
		"press 1 coffee":                "choose one of: 0, 1",
		"type 12a":                      "usage",
		"type":                          "usage",
		"amount 1e3":                    "not a number",
		"amount 1.234":                  "fraction",
		"amount 0":                      "more than zero",
		"amount -5":                     "more than zero",
		"fault nothing on":              "choose one of: acquirer.bad-length",
		"fault acquirer.down maybe":     "choose one of: on, off, once",
		"fault printer.paper-out":       "usage",
		"fault printer.dead once":       "just once",
		"fault acquirer.down:zz on":     "choose one of: 0200",
		"fault reader.nak:0200 on":      "narrowed",
		"power sideways":                "choose one of: cut, on, off",
		"cut when":                      "usage",
		"cut when foo=1":                "choose one of: screen",
		"cut when reader=x timeout=1s":  "not for it",
		"tear":                          "no paper",
		"language fr":                   "choose one of: zh, en",
		"language en":                   "idle screen",
		"wait":                          "usage",
		"wait idle":                     "not of the form",
		"wait screen=never timeout=1ms": "did not happen",
		"ledger mine":                   "choose one of: acquirer, alipay",
		"trace from=x":                  "usage",
		"trace source=x":                "choose one of: reader",
		"state now":                     "usage",
	} {
		refuse(t, w, line, want)
	}
}

func TestCardPaperAndFaults(t *testing.T) {
	w := newWorld(t, Options{Panel: Panel{320, 240, true}, Lang: "en", Timeouts: map[string]int{"result": 1, "wallet": 7}})
	do(t, w, "power on")
	do(t, w, "wait screen=idle")
	do(t, w, "insert unionpay-debit")
	refuse(t, w, "insert unionpay-credit", "unionpay-debit is in the reader")
	if s := w.State(); s.Card != "unionpay-debit" {
		t.Errorf("state %+v", s)
	}
	do(t, w, "remove")

	do(t, w, "fault printer.paper-out on")
	do(t, w, "fault acquirer.reply-lost:0400 once")
	do(t, w, "fault reader.nak once")
	do(t, w, "fault alipay.html-200:query on")
	if got := strings.Join(w.State().Faults, " "); got != "acquirer.reply-lost:0400 alipay.html-200:query printer.paper-out" {
		t.Errorf("faults %q", got)
	}
	for _, f := range w.State().Faults {
		do(t, w, "fault "+f+" off")
	}
	if got := w.State().Faults; len(got) != 0 {
		t.Errorf("faults %q", got)
	}
	link := w.path("scanner")
	do(t, w, "fault scanner.unplugged on")
	if _, err := os.Lstat(link); !errors.Is(err, os.ErrNotExist) {
		t.Error("an unplugged scanner is still there")
	}
	w.PowerCut()
	do(t, w, "power on")
	if _, err := os.Lstat(link); !errors.Is(err, os.ErrNotExist) {
		t.Error("switching on plugs the scanner in")
	}
	do(t, w, "fault scanner.unplugged off")
	if _, err := os.Stat(link); err != nil {
		t.Error(err)
	}

	b, err := os.ReadFile(w.path("alipay.toml"))
	if err != nil || !strings.Contains(string(b), `total_wait = "7s"`) {
		t.Errorf("the wallet contract was not changed: %v", err)
	}
	b, err = os.ReadFile(w.path("posd.toml"))
	if err != nil || !strings.Contains(string(b), "result = 1") || strings.Contains(string(b), "wallet = 7") {
		t.Errorf("posd.toml: %v\n%s", err, b)
	}
	for _, f := range w.Catalog().Faults {
		if f.Name.ZH == "" || f.Name.EN == "" {
			t.Errorf("%s has no name", f.ID)
		}
	}
	for _, m := range w.Catalog().Moments {
		if _, _, err := ParsePattern(strings.Fields(m.Pattern)); err != nil && !strings.Contains(m.Pattern, " AC") {
			t.Errorf("moment %q: %v", m.Pattern, err)
		}
	}
}

func TestWaitSeesWhatHappenedSinceTheAction(t *testing.T) {
	w := newWorld(t, Options{})
	w.note("first")
	w.mark()
	w.note("second")
	w.note("third")
	do(t, w, "wait world=second timeout=1s")
	do(t, w, "wait world=third timeout=1s")
	refuse(t, w, "wait world=third timeout=1ms", "did not happen") // each event is seen once
	refuse(t, w, "wait world=first timeout=1ms", "did not happen") // and never what was before the action
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Wait(ctx, Pattern{Source: "world", Text: "never"}, time.Minute); !errors.Is(err, ErrWait) {
		t.Errorf("a wait that is given up: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "posd")
	if err := os.WriteFile(text, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"no such posd":   {Posd: "/nonexistent/posd"},
		"a directory":    {Posd: "/"},
		"no program":     {Posd: text},
		"bad time limit": {Posd: self, Timeouts: map[string]int{"sleep": 3}},
		"zero limit":     {Posd: self, Timeouts: map[string]int{"card": 0}},
	} {
		if w, err := New(o); err == nil {
			t.Errorf("%s: taken", name)
			_ = w.Close()
		}
	}
}

// A card of another program comes, is taken out, goes in again, gives way to one of ours, and hangs up.
func TestForeignCard(t *testing.T) {
	w := newWorld(t, Options{VPCD: "127.0.0.1:0"})
	if s := w.State(); s.VPCD == "" || s.VPCD != w.VPCD() {
		t.Fatalf("state %+v", s)
	}
	if c := w.Catalog().Cards; c[len(c)-1].ID != Foreign {
		t.Error("the catalog does not have it")
	}
	refuse(t, w, "insert vpcd", "no card is connected at "+w.VPCD())
	conn, err := vpcd.Dial(t.Context(), w.VPCD())
	if err != nil {
		t.Fatal(err)
	}
	c, err := card.Load("visa-debit")
	if err != nil {
		t.Fatal(err)
	}
	ctx, hangUp := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- vpcd.Serve(ctx, conn, c) }()
	until := func(name string) {
		t.Helper()
		for limit := time.After(10 * time.Second); w.State().Card != name; {
			select {
			case <-w.Changed():
			case <-limit:
				t.Fatalf("in the reader is %q, want %q", w.State().Card, name)
			}
		}
	}
	until(Foreign)
	refuse(t, w, "insert vpcd", "vpcd is in the reader")
	refuse(t, w, "insert unionpay-debit", "vpcd is in the reader")
	do(t, w, "remove")
	do(t, w, "insert vpcd")
	until(Foreign)
	do(t, w, "remove")
	do(t, w, "insert unionpay-debit")
	hangUp()
	if err := <-done; err != nil {
		t.Error(err)
	}
	do(t, w, "wait world=hung timeout=10s")
	until("unionpay-debit") // that one stays
	do(t, w, "remove")
	refuse(t, w, "insert vpcd", "no card is connected")
	if _, err := New(Options{Posd: w.opt.Posd, VPCD: w.VPCD(), walletKeys: walletKeys()}); err == nil {
		t.Error("two terminals take their cards at one address")
	}
}
