package world

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"posd/sim"
)

// process is posd as a child. It cannot outlive this program: the kernel kills it when the thread that started it ends, and that
// thread is kept for nothing else.
type process struct {
	cmd  *exec.Cmd
	dead chan struct{} // closed when the child is gone and reaped
	err  error         // how it ended; read it after dead
	logs sync.WaitGroup
}

func startProcess(path string, args, env []string, dir string, line func([]byte)) (*process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(path, args...), dead: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, env
	p.cmd.Stdout, p.cmd.Stderr = w, w
	p.cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		Setpgid:   true, // an interrupt typed at our terminal is ours to handle
	}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: Pdeathsig fires when this thread ends
		err := p.cmd.Start()
		w.Close()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.dead)
		}
	}()
	if err := <-started; err != nil {
		r.Close()
		return nil, fmt.Errorf("start posd: %w", err)
	}
	p.logs.Go(func() {
		defer r.Close()
		readLines(r, line)
	})
	return p, nil
}

// kill is the power cut: no handler runs. It returns when the child is gone, so that what happens afterwards cannot reach it.
func (p *process) kill() {
	if !p.alive() {
		return // its number may be somebody else's by now
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	select {
	case <-p.dead:
	case <-time.After(5 * time.Second): // a child stuck in the kernel: nothing more can be done about it here
	}
}

// stop asks the child to end, and kills it when it does not.
func (p *process) stop(patience time.Duration) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.dead:
	case <-time.After(patience):
		p.kill()
	}
	p.logs.Wait()
}

func (p *process) alive() bool {
	select {
	case <-p.dead:
		return false
	default:
		return true
	}
}

// how says in words how the child ended.
func (p *process) how() string {
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		return exit.Error()
	}
	if p.err != nil {
		return p.err.Error()
	}
	return "exit status 0"
}

// maxLine bounds a line of the child's log; the rest of a longer one is thrown away.
const maxLine = 64 << 10

func readLines(r io.Reader, line func([]byte)) {
	br := bufio.NewReaderSize(r, maxLine)
	for {
		b, err := br.ReadSlice('\n')
		if b = bytes.TrimRight(b, "\r\n"); len(b) > 0 {
			line(b)
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = br.ReadSlice('\n')
		}
		if err != nil {
			return
		}
	}
}

// logEvent makes an event of a line of posd's log: JSON as zerolog writes it, or anything else as it stands.
func logEvent(line []byte) sim.Event {
	e := sim.Event{Time: time.Now(), Source: "posd"}
	var m map[string]json.RawMessage
	if json.Unmarshal(line, &m) != nil {
		e.Summary = strings.ToValidUTF8(string(line), "�")
		return e
	}
	text := func(raw json.RawMessage) string {
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return s
		}
		return string(raw)
	}
	for k, v := range m {
		switch k {
		case "time":
		case "message":
			e.Summary = text(v)
		default:
			e.Detail = append(e.Detail, sim.Field{Name: k, Value: text(v)})
		}
	}
	slices.SortFunc(e.Detail, func(a, b sim.Field) int { return cmp.Compare(a.Name, b.Name) })
	if s := screenOf(e); s != "" && (e.Summary == "" || e.Summary == "screen") {
		e.Summary = "screen " + s
	}
	return e
}

// PID is the process number of the running posd, 0 without one. For measuring only.
func (w *World) PID() int {
	if p := w.child.Load(); p != nil && p.alive() {
		return p.cmd.Process.Pid
	}
	return 0
}
