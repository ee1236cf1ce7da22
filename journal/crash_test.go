package journal

import (
	"bufio"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// crashFile names the journal that a child process of this test binary writes until it is killed.
const crashFile = "POSD_TEST_CRASH_JOURNAL"

// steps of a record's life in the crash test, in order. Each is one durable commit and one line that acknowledges it.
func steps(no uint64) []func(*Store, uint64) error {
	move := func(to State) func(*Store, uint64) error {
		return func(s *Store, no uint64) error { _, err := s.Move(no, to, "crash test", nil); return err }
	}
	note := func(change Change) func(*Store, uint64) error {
		return func(s *Store, no uint64) error { _, err := s.Note(no, change); return err }
	}
	switch no % 3 {
	case 0: // stays undoing: owed for ever, so that the list of what is owed grows
		return []func(*Store, uint64) error{move(Undoing)}
	case 1:
		return []func(*Store, uint64) error{
			move(Approved), note(func(r *Record) { r.Printed.Merchant = true }), note(func(r *Record) { r.Printed.Customer = true }),
		}
	}
	return []func(*Store, uint64) error{move(Undoing), move(Undone), note(func(r *Record) { r.Told = true })}
}

// progress is how many of its steps a record has made.
func progress(r Record) int {
	switch {
	case r.State == Undoing, r.State == Approved && !r.Printed.Merchant:
		return 1
	case r.State == Approved && !r.Printed.Customer, r.State == Undone && !r.Told:
		return 2
	case r.State == Approved, r.State == Undone:
		return 3
	}
	return 0
}

// writeUntilKilled is the child: it goes on where the file stands and acknowledges each durable step with a line.
func writeUntilKilled(path string) error {
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	acknowledge := func(format string, args ...any) error {
		_, err := os.Stdout.WriteString(fmt.Sprintf(format+"\n", args...))
		return err
	}
	for {
		stan, err := s.TakeSTAN()
		if err != nil {
			return err
		}
		if err := acknowledge("stan %d", stan); err != nil {
			return err
		}
		m, err := s.Meta()
		if err != nil {
			return err
		}
		r := card(int64(m.NextNo))
		if m.NextNo%2 == 0 {
			r = wallet(int64(m.NextNo), fmt.Sprintf("ORDER%d", m.NextNo))
		}
		if r, err = s.Begin(r); err != nil {
			return err
		}
		if err := acknowledge("begin %d %d", r.No, r.STAN); err != nil {
			return err
		}
		for i, f := range steps(r.No) {
			if err := f(s, r.No); err != nil {
				return err
			}
			if err := acknowledge("step %d %d", r.No, i+1); err != nil {
				return err
			}
		}
	}
}

// TestKilled kills a process that writes the journal at random moments, twenty times. Whatever was acknowledged is in the file, and at
// most one step more; the file is sound each time, and no number is handed out twice. It shows what a crash of the program does; that
// what bbolt has synced survives a power cut is the file system's promise.
func TestKilled(t *testing.T) {
	if path := os.Getenv(crashFile); path != "" {
		t.Fatal(writeUntilKilled(path)) // only an error ends it
	}
	path := filepath.Join(t.TempDir(), "journal.db")
	random := rand.New(rand.NewSource(1))
	acked, stans := map[uint64]int{}, map[uint32]bool{}
	lines := 0
	for kill := range 20 {
		lines += crash(t, path, 1+random.Intn(24), time.Duration(random.Intn(3000))*time.Microsecond, func(line string) {
			var no uint64
			var n uint32
			switch {
			case scan(line, "stan %d", &n):
			case scan(line, "begin %d %d", &no, &n):
				if _, twice := acked[no]; twice {
					t.Errorf("record number %d is handed out twice", no)
				}
				acked[no] = 0
			case scan(line, "step %d %d", &no, &n):
				acked[no], n = int(n), 0
			default:
				t.Fatalf("the child says %q", line)
			}
			if n != 0 && stans[n] {
				t.Errorf("trace number %d is handed out twice", n)
			}
			stans[n] = true
		})
		if _, err := os.Stat(path); err == nil || len(acked) > 0 {
			if err := CheckFile(path); err != nil {
				t.Fatalf("after kill %d: %v", kill+1, err)
			}
		}
		s := open(t, path)
		more := 0
		if err := s.Each(func(r Record) error {
			switch was, ok := acked[r.No]; {
			case !ok:
				more++
				acked[r.No] = progress(r)
			case progress(r) == was+1:
				more++
				acked[r.No] = was + 1
			case progress(r) != was:
				t.Errorf("record %d has made %d steps, acknowledged are %d", r.No, progress(r), was)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for no := range acked {
			if _, err := s.Get(no); err != nil {
				t.Errorf("record %d was acknowledged: %v", no, err)
			}
		}
		if more > 1 {
			t.Errorf("after kill %d: %d steps more than acknowledged", kill+1, more)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged steps, %d records", lines, len(acked))
	if lines < 100 {
		t.Errorf("only %d steps: the child does not get anywhere", lines)
	}
}

func scan(line, format string, args ...any) bool {
	n, err := fmt.Sscanf(line, format, args...)
	return err == nil && n == len(args) && strings.HasPrefix(line, format[:4])
}

// crash starts the child, kills it a moment after it has acknowledged so many steps, and hands on everything that it has said.
func crash(t *testing.T, path string, after int, moment time.Duration, said func(line string)) (lines int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), crashFile+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(out)
	for in.Scan() {
		said(in.Text())
		if lines++; lines == after {
			time.AfterFunc(moment, func() { _ = cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil || lines < after {
		t.Fatalf("the child ended by itself after %d lines: %v", lines, err)
	}
	return lines
}
