package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"posd/sim/world"
)

// posdBinary is the program under test, built as it is flashed but for the platform.
var posdBinary string

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
	}
	dir, err := os.MkdirTemp("", "posd-stories-")
	if err != nil {
		panic(err)
	}
	posdBinary = filepath.Join(dir, "posd")
	build := exec.Command("go", "build", "-trimpath", "-o", posdBinary, "posd/cmd/posd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build posd: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// builtFrom tells the test cache what the program under test is made of: it remembers the files that a test has looked at, and knows
// nothing of those that a compiler started by the test has read. Without this, stories played with an old posd would count.
func builtFrom(tb testing.TB) {
	tb.Helper()
	const root = "../.."
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && path != root && (strings.HasPrefix(e.Name(), ".") || e.Name() == "bin" || e.Name() == "testdata" || e.Name() == "docs"):
			return filepath.SkipDir
		case e.Type().IsRegular() && !strings.HasSuffix(path, "_test.go"):
			_, err = os.Stat(path) // what is noted is name, size and time
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// asProgram in the environment makes this test binary possim itself.
const asProgram = "POSSIM_AS_PROGRAM"

// TestStories plays merchant stories on the virtual terminal with the real posd. A script has these commands beside testscript's own:
//
//	terminal [FLAGS]   a new terminal, switched on; flags are those of possim run; with -vpcd, $VPCD and $VPCDPORT say where it is
//	do ACTION...       as possim do; what it returns is stdout
//	! do ACTION...     the action must be refused; why is stderr
//	card AMOUNT CARD PIN      from the idle screen until the PIN is entered
//	code AMOUNT METHOD PHONE  from the idle screen until the phone has shown its code; METHOD is huabei (whole), huabei-6 or any
//	done                      from the end of a card sale that is printed back to the idle screen
//	lost WHAT                 something is wrong with the terminal: second (another posd is started on it), journal (the file is
//	                          gone), config (an unknown key in posd.toml), board (one in the board file)
//	disk full          no write of the running posd to a file works any more, as on a full disk; disk free: each does again
//	doctor             posd is stopped; what posd doctor says of the devices is stdout; all must be well
//	edit FILE OLD NEW  every OLD in a file of the run directory becomes NEW; posd reads it when it is switched on
//	agree              the books of terminal, acquirer and gateway, and the paper, say the same; nothing is owed
//	exec $POSSIM ...   possim as a program of its own
//	secrets            no card number, PIN, key or payment code in trace, log, journal, paper or anywhere in the run directory
func TestStories(t *testing.T) {
	builtFrom(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/stories",
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"terminal": cmdTerminal, "do": cmdDo, "agree": cmdAgree, "secrets": cmdSecrets,
			"card": cmdCard, "code": cmdCode, "done": cmdDone, "lost": cmdLost, "doctor": cmdDoctor, "edit": cmdEdit,
			"disk": cmdDisk,
		},
		Setup: func(e *testscript.Env) error {
			e.Values[worldKey{}] = &story{}
			self, err := os.Executable()
			e.Vars = append(e.Vars, "POSD="+posdBinary, "POSSIM="+self, asProgram+"=1")
			return err
		},
	})
}

type worldKey struct{}

type story struct{ w *world.World }

func theWorld(ts *testscript.TestScript) *world.World {
	w := ts.Value(worldKey{}).(*story).w
	if w == nil {
		ts.Fatalf("no terminal: the script must begin with one")
	}
	return w
}

func cmdTerminal(ts *testscript.TestScript, neg bool, args []string) {
	fs := flag.NewFlagSet("terminal", flag.ContinueOnError)
	fs.SetOutput(ts.Stderr())
	o := terminalFlags(fs)
	if err := fs.Parse(args); err != nil || neg {
		ts.Fatalf("usage: terminal [flags of possim run]")
	}
	o.Posd, o.Fast = posdBinary, true
	for _, k := range []string{"result", "tear"} {
		if o.Timeouts[k] == 0 {
			o.Timeouts[k] = 1
		}
	}
	w, err := world.New(*o)
	ts.Check(err)
	ts.Value(worldKey{}).(*story).w = w
	ts.Defer(func() { ts.Check(w.Close()) })
	if at := w.VPCD(); at != "" {
		_, port, err := net.SplitHostPort(at)
		ts.Check(err)
		ts.Setenv("VPCD", at)
		ts.Setenv("VPCDPORT", port)
	}
	ts.Check(w.PowerOn())
}

func cmdDo(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: do ACTION [ARGS]")
	}
	w := theWorld(ts)
	if args[0] == "power" && len(args) > 1 && args[1] == "on" {
		untilOff(ts, w)
	}
	res, err := w.Do(context.Background(), args[0], args[1:])
	switch {
	case err != nil && neg:
		fmt.Fprintln(ts.Stderr(), err)
	case err != nil:
		ts.Fatalf("do %s: %v\n%s", strings.Join(args, " "), err, lastWords(w))
	case neg:
		ts.Fatalf("do %s was not refused: %v", strings.Join(args, " "), res)
	}
	switch v := res.(type) {
	case nil:
	case string:
		fmt.Fprintln(ts.Stdout(), v)
	default:
		b, err := json.MarshalIndent(v, "", " ")
		ts.Check(err)
		fmt.Fprintln(ts.Stdout(), string(b))
	}
}

// untilOff waits until an armed cut is over: it is in the trace before the last device has lost its power, and switching on in between
// finds the terminal still on.
func untilOff(ts *testscript.TestScript, w *world.World) {
	limit := time.After(20 * time.Second)
	for {
		changed := w.Changed()
		if !w.State().Power {
			w.PowerCut() // nothing to do, but it waits until the sequence is over
			return
		}
		select {
		case <-changed:
		case <-limit:
			ts.Fatalf("the power is still on")
		}
	}
}

// steps does one action a line.
func steps(ts *testscript.TestScript, script string) {
	w := theWorld(ts)
	for line := range strings.Lines(script) {
		if f := strings.Fields(line); len(f) > 0 {
			if _, err := w.Do(context.Background(), f[0], f[1:]); err != nil {
				ts.Fatalf("do %s: %v\n%s", strings.TrimSpace(line), err, lastWords(w))
			}
		}
	}
}

const toMethod = `
	wait screen=idle timeout=30s
	amount %s
	wait screen=amount
	press enter
	wait screen=method
`

func cmdCard(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || neg {
		ts.Fatalf("usage: card AMOUNT CARD PIN")
	}
	steps(ts, fmt.Sprintf(toMethod+`
		press 1
		wait screen=insert timeout=30s
		insert %s
		wait pinpad=waiting timeout=30s
		type %s
		press enter
	`, args[0], args[1], args[2]))
}

func cmdCode(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || neg {
		ts.Fatalf("usage: code AMOUNT huabei|huabei-6|any PHONE")
	}
	way, ok := map[string]string{
		"huabei":   "press 2\n wait screen=huabei\n press 1",
		"huabei-6": "press 2\n wait screen=huabei\n press 2\n wait screen=plan\n press 2\n wait screen=plan-confirm\n press enter",
		"any":      "press 3",
	}[args[1]]
	if !ok {
		ts.Fatalf("no method %q", args[1])
	}
	steps(ts, fmt.Sprintf(toMethod+way+`
		wait scanner=trigger timeout=30s
		scan %s
	`, args[0], args[2]))
}

func cmdDone(ts *testscript.TestScript, neg bool, args []string) {
	steps(ts, `
		wait screen=tear timeout=60s
		press enter
		wait screen=take-card timeout=30s
		remove
		wait screen=idle timeout=30s
	`)
}

// cmdDoctor stops posd, as a technician does, and runs posd doctor on its devices; all must be well, or with neg something must not.
func cmdDoctor(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 0 {
		ts.Fatalf("usage: doctor")
	}
	w := theWorld(ts)
	dir := w.Dir()
	if pid := w.PID(); pid != 0 {
		ts.Check(syscall.Kill(pid, syscall.SIGTERM))
	}
	for patience := time.After(10 * time.Second); w.PID() != 0; {
		select {
		case <-w.Changed():
		case <-patience:
			ts.Fatalf("posd does not stop")
		}
	}
	out, err := exec.Command(posdBinary, "doctor", "-board", filepath.Join(dir, "board.toml"), "-config", filepath.Join(dir, "posd.toml")).CombinedOutput()
	_, _ = ts.Stdout().Write(out)
	if (err != nil) != neg {
		ts.Fatalf("doctor: %v\n%s", err, out)
	}
}

func cmdLost(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 || neg {
		ts.Fatalf("usage: lost second|journal|config|board")
	}
	dir := theWorld(ts).Dir()
	board, conf := filepath.Join(dir, "board.toml"), filepath.Join(dir, "posd.toml")
	switch args[0] {
	case "second":
		for _, c := range []string{conf, filepath.Join(dir, "missing.toml")} { // a bad configuration does not get it further
			out, err := exec.Command(posdBinary, "run", "-board", board, "-config", c).CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte("in use by another process")) {
				ts.Fatalf("a second posd: %v\n%s", err, out)
			}
		}
	case "journal":
		ts.Check(os.Remove(filepath.Join(dir, "data", "journal.db")))
	case "config":
		b, err := os.ReadFile(conf)
		ts.Check(err)
		ts.Check(os.WriteFile(conf, append([]byte("bogus = 1\n"), b...), 0o600))
	case "board":
		b, err := os.ReadFile(board)
		ts.Check(err)
		ts.Check(os.WriteFile(board, append([]byte("bogus = 1\n"), b...), 0o600))
	default:
		ts.Fatalf("lost: no %q", args[0])
	}
}

// cmdDisk sets the limit of the size of a file for the running posd: what it writes beyond fails as on a full disk (EFBIG for ENOSPC). The
// display is mapped and the devices are no files, so that they go on.
func cmdDisk(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 || neg {
		ts.Fatalf("usage: disk full|free")
	}
	limit, ok := map[string]uint64{"full": 1, "free": unix.RLIM_INFINITY}[args[0]]
	if !ok {
		ts.Fatalf("disk: no %q", args[0])
	}
	pid := theWorld(ts).PID()
	if pid == 0 {
		ts.Fatalf("disk: posd does not run")
	}
	var old unix.Rlimit
	ts.Check(unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &old))
	ts.Check(unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: min(limit, old.Max), Max: old.Max}, nil))
}

func cmdEdit(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || neg {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	path := filepath.Join(theWorld(ts).Dir(), filepath.Base(args[0]))
	b, err := os.ReadFile(path)
	ts.Check(err)
	if !bytes.Contains(b, []byte(args[1])) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, bytes.ReplaceAll(b, []byte(args[1]), []byte(args[2])), 0o600))
}

// bookRecord is what agree wants of a journal record.
type bookRecord struct {
	No     uint64
	State  string
	STAN   uint32
	Amount struct{ Minor int64 }
	Card   *struct{ Sealed []byte }
	Wallet *struct {
		Order string
		Plan  *struct {
			Periods    int
			Fee, First int64
			Each       int64
			BuyerTotal int64 `json:"buyer_total"`
			SellerNet  int64 `json:"seller_net"`
		}
	}
	Printed struct{ Merchant, Customer bool }
	Told    bool
	Advices []struct {
		Kind, State string
		STAN        uint32
	}
}

// cmdAgree holds the four books against each other: invariants 6, 7, 11, 15 and 16 of money safety, on the whole stack.
func cmdAgree(ts *testscript.TestScript, neg bool, args []string) {
	w := theWorld(ts)
	raw, err := w.Journal(context.Background())
	ts.Check(err)
	var wrong []string
	bad := func(format string, a ...any) { wrong = append(wrong, fmt.Sprintf(format, a...)) }

	book, err := w.Ledger("acquirer")
	ts.Check(err)
	held := map[uint32]int64{}
	for _, h := range book.(world.AcquirerBook).Held {
		held[h.STAN] += h.Minor
	}
	trades := map[string]trade{}
	ledger, err := w.Ledger("alipay")
	ts.Check(err)
	b, err := json.Marshal(ledger)
	ts.Check(err)
	var list []trade
	ts.Check(json.Unmarshal(b, &list))
	for _, tr := range list {
		trades[tr.Number] = tr
	}
	slips := append(w.Receipts(), w.PaperText())
	paper := strings.Join(slips, "\n")

	for _, line := range raw {
		var r bookRecord
		ts.Check(json.Unmarshal(line, &r))
		var money int64 // that a host holds for this record
		if r.Wallet != nil {
			tr := trades[r.Wallet.Order]
			if tr.paid() {
				money = tr.Amount - tr.Refunded
			}
			delete(trades, r.Wallet.Order)
			if p := r.Wallet.Plan; p != nil && tr.paid() && (p.Periods != tr.Periods || p.Fee != tr.Fee || p.BuyerTotal != tr.BuyerTotal || p.SellerNet != tr.SellerNet) {
				bad("record %d: the plan %+v is not the gateway's %+v", r.No, *p, tr)
			}
		} else {
			money = held[r.STAN]
			delete(held, r.STAN)
			for _, a := range r.Advices {
				if a.Kind == "voice-sale" { // the host has it under the advice's own number
					money += held[a.STAN]
					delete(held, a.STAN)
				}
				if a.State == "owed" {
					bad("record %d still owes a %s advice", r.No, a.Kind)
				}
			}
		}
		want := int64(0)
		if r.State == "approved" {
			want = r.Amount.Minor
			if !r.Printed.Merchant || !r.Printed.Customer {
				bad("record %d: approved and not printed", r.No)
			}
			if n := len(slipOf(r.STAN).FindAllString(paper, -1)); n < 2 {
				bad("record %d: %d slips with trace number %06d on paper", r.No, n, r.STAN)
			}
		}
		if money != want {
			bad("record %d is %q over %d, the host holds %d", r.No, r.State, r.Amount.Minor, money)
		}
		switch r.State {
		case "sent", "undoing":
			bad("record %d is still %q", r.No, r.State)
		case "approved":
		default:
			if !r.Told {
				bad("record %d is %q and the operator was not told", r.No, r.State)
			}
			if slipOf(r.STAN).MatchString(paper) {
				bad("record %d is %q and has a slip", r.No, r.State)
			}
		}
		if r.Card != nil && len(r.Card.Sealed) > 0 {
			bad("record %d keeps sealed card data", r.No)
		}
	}
	for stan, m := range held {
		if m != 0 {
			bad("the acquirer holds %d for trace %d, of which the journal knows nothing", m, stan)
		}
	}
	for no, tr := range trades {
		if tr.paid() && tr.Amount != tr.Refunded {
			bad("the gateway holds %d for order %s, of which the journal knows nothing", tr.Amount, no)
		}
	}
	if (len(wrong) > 0) != neg {
		ts.Fatalf("the books agree: %v; want %v\n%s\n%s", len(wrong) == 0, !neg, strings.Join(wrong, "\n"), bytes.Join(rawLines(raw), []byte("\n")))
	}
}

// slipOf finds the line of a slip that names the trace number.
func slipOf(stan uint32) *regexp.Regexp {
	return regexp.MustCompile(fmt.Sprintf(`(?m)^(凭证号|Voucher no\.) +%06d$`, stan))
}

func rawLines(raw []json.RawMessage) [][]byte {
	var out [][]byte
	for _, r := range raw {
		out = append(out, r)
	}
	return out
}

type trade struct {
	Number     string
	Status     string
	Amount     int64
	Refunded   int64
	Periods    int
	Fee        int64
	BuyerTotal int64 `json:"buyer_total"`
	SellerNet  int64 `json:"seller_net"`
}

func (t trade) paid() bool { return t.Status == "TRADE_SUCCESS" || t.Status == "TRADE_FINISHED" }

// cmdSecrets looks for what must not be anywhere: invariant 18. The names of files that hold keys by their purpose are left out.
func cmdSecrets(ts *testscript.TestScript, neg bool, args []string) {
	w := theWorld(ts)
	var all bytes.Buffer
	for _, e := range w.Trace(1, 1<<20, "") {
		fmt.Fprintln(&all, e.Source, e.Summary, e.Detail)
	}
	journal, err := w.Journal(context.Background())
	ts.Check(err)
	all.Write(bytes.Join(rawLines(journal), nil))
	all.WriteString(strings.Join(append(w.Receipts(), w.PaperText()), "\n"))
	ts.Check(filepath.WalkDir(filepath.Join(w.Dir(), "data"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all.Write(b)
		return err
	}))
	// A PIN is short: it counts where it stands by itself, not inside a longer number or a string of hexadecimal digits.
	for _, pin := range []string{"123456", "654321"} {
		re := regexp.MustCompile("(?i)(^|[^0-9a-f])" + pin + "([^0-9a-f]|$)")
		if at := re.FindIndex(all.Bytes()); at != nil {
			ts.Fatalf("a PIN is in the clear: ...%q...", all.Bytes()[max(0, at[0]-60):at[1]])
		}
	}
	secrets := w.Secrets()
	if len(secrets) < 10 {
		ts.Fatalf("only %d secrets are known", len(secrets))
	}
	for name, s := range secrets {
		re := regexp.MustCompile("(?i)" + regexp.QuoteMeta(s))
		if at := re.FindIndex(all.Bytes()); at != nil {
			ts.Fatalf("%s is in the clear: ...%.80q...", name, all.Bytes()[max(0, at[0]-40):at[1]])
		}
	}
}
