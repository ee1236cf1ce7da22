package world

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"posd/sim"
	"posd/sim/alipay"
	"posd/sim/card"
	"posd/sim/ccid"
	"posd/sim/escpos"
	"posd/sim/vpcd"
)

// Options say what the virtual terminal is made of.
type Options struct {
	Posd     string         // path of the posd binary
	Dir      string         // run directory; a temporary one, removed by Close, when ""
	Lang     string         // language in which the terminal starts: "zh" (also when "") or "en"
	Panel    Panel          // the zero value is 480x320, 32 bits a pixel
	Timeouts map[string]int // seconds, for posd's [timeouts]: see TimeoutNames
	Fast     bool           // devices answer without the delays of real ones; for tests
	Env      []string       // added to posd's environment
	Reader   ccid.Profile   // kind of card reader; ccid.PosdPINPad when "", which takes PINs for the card in every way
	VPCD     string         // address at which a card of another program can connect; none can when ""

	walletKeys *alipay.Keys // fresh ones when nil
}

// World is a running virtual terminal.
type World struct {
	opt  Options
	dir  string
	temp bool
	hub  *Hub
	hw   *hardware
	fb   *framebuffer
	keys *keyPipe
	vpcd *vpcd.Slot // nil when no foreign card can come

	changed bell // something of State changed

	child atomic.Pointer[process] // the running posd, also for a cut from within Hub.Add

	mu     sync.Mutex // one power sequence at a time; never taken from within Hub.Add
	power  atomic.Bool
	struck atomic.Bool // a cut has begun and is not settled
	closed bool

	smu     sync.Mutex // guards what follows
	screen  string
	card    string // name of the card in the reader
	faults  map[string]bool
	cursor  uint64 // events before this one are in the past for Wait
	ended   string // how posd ended, if by itself
	lang    string // of the terminal, as far as can be told from outside
	cards   map[string]*card.Card
	foreign *vpcd.Card // the one that is connected
	torn    []escpos.Receipt
	codes   []string // payment codes that phones have shown

	stop context.CancelFunc
	work sync.WaitGroup
}

// traceSize is how many events are remembered: the two sales of a demonstration are some 600.
const traceSize = 8192

// New prepares a world without power. PowerOn starts it.
func New(o Options) (*World, error) {
	if o.Panel == (Panel{}) {
		o.Panel = Panel{Width: 480, Height: 320}
	}
	if o.Lang != "en" {
		o.Lang = "zh"
	}
	posd, err := filepath.Abs(o.Posd)
	if err != nil {
		return nil, err
	}
	if fi, err := os.Stat(posd); err != nil {
		return nil, fmt.Errorf("world: the posd binary: %w", err)
	} else if fi.IsDir() || fi.Mode()&0o111 == 0 {
		return nil, fmt.Errorf("world: the posd binary: %s is no program", posd)
	}
	o.Posd = posd
	o.Reader = cmp.Or(o.Reader, ccid.PosdPINPad)
	w := &World{
		opt: o, hub: NewHub(traceSize), faults: map[string]bool{}, cursor: 1, screen: "off", lang: o.Lang,
		cards: map[string]*card.Card{},
	}
	if err := w.makeDir(); err != nil {
		return nil, err
	}
	if err := w.build(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	hw := w.stop
	w.stop = func() { stop(); hw() }
	w.work.Go(func() { w.watchDisplay(ctx) })
	w.work.Go(func() { w.watchTrace(ctx) })
	return w, nil
}

func (w *World) makeDir() error {
	if w.opt.Dir == "" {
		d, err := os.MkdirTemp("", "possim-")
		if err != nil {
			return err
		}
		w.dir, w.temp = d, true
		return nil
	}
	d, err := filepath.Abs(w.opt.Dir)
	if err != nil {
		return err
	}
	w.dir = d
	return os.MkdirAll(d, 0o700)
}

// build makes the devices and hosts and writes the run directory.
func (w *World) build() (err error) {
	if w.fb, err = newFramebuffer(w.path("display"), w.opt.Panel); err != nil {
		return err
	}
	if w.keys, err = newKeyPipe(w.path("keypad"), eventSize(w.opt.Posd)); err != nil {
		return err
	}
	if w.hw, err = newHardware(w); err != nil {
		return err
	}
	if err := w.writeDir(); err != nil {
		return err
	}
	return w.openVPCD()
}

func (w *World) path(name string) string { return filepath.Join(w.dir, name) }

// Dir is the run directory.
func (w *World) Dir() string { return w.dir }

// Hub is the trace.
func (w *World) Hub() *Hub { return w.hub }

// Changed is closed at the next change of State, the display or the paper.
func (w *World) Changed() <-chan struct{} { return w.changed.wait() }

func (w *World) tracer() sim.Tracer { return w.hub.Add }

func (w *World) note(summary string, detail ...sim.Field) {
	w.tracer().Emit("world", "", summary, detail...)
	w.changed.ring()
}

// PowerOn gives power to all devices and starts posd. It does nothing when posd runs; when posd has ended by itself it is started
// again with the devices as they are.
func (w *World) PowerOn() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errors.New("world: closed")
	}
	w.settleCut() // of a cut that is under way: it must not take the power away again afterwards
	if p := w.child.Load(); p != nil && p.alive() {
		if w.power.Load() {
			return nil
		}
		return errors.New("world: the last posd does not die")
	}
	w.keys.drain()
	if !w.power.Load() {
		for _, l := range w.hw.lines {
			if err := l.set(true, l.isUnplugged()); err != nil {
				return err
			}
		}
		w.power.Store(true)
	}
	w.set(func() { w.screen, w.ended, w.lang = "", "", w.opt.Lang })
	w.note("power on")
	p, err := startProcess(w.opt.Posd, []string{"run", "-board", w.path("board.toml"), "-config", w.path("posd.toml")},
		append(os.Environ(), w.opt.Env...), w.dir, w.logLine)
	if err != nil {
		return err
	}
	w.child.Store(p)
	w.work.Go(func() {
		<-p.dead
		p.logs.Wait()
		w.set(func() {
			if w.screen != "off" {
				w.screen, w.ended = "", p.how()
			}
		})
		w.note("posd ended", sim.Field{Name: "how", Value: p.how()})
	})
	return nil
}

// PowerCut takes the power away: posd is killed on the spot, the devices forget what a real one forgets, the display goes black.
// Cards, paper and everything on posd's disk stay. It does nothing without power.
func (w *World) PowerCut() {
	w.strike()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settleCut()
}

// strike is the first part of a power cut: when it returns posd is dead. It takes no lock, so that it can be used within Hub.Add,
// while a device holds its own.
func (w *World) strike() {
	w.struck.Store(true)
	w.setScreen("off")
	if p := w.child.Load(); p != nil {
		p.kill()
	}
}

// settleCut is the rest of a power cut. The caller holds mu.
func (w *World) settleCut() {
	if !w.struck.Swap(false) || !w.power.Load() {
		return
	}
	if p := w.child.Load(); p != nil {
		p.kill() // it may have been started since the strike
		p.logs.Wait()
	}
	w.power.Store(false)
	for _, l := range w.hw.lines {
		_ = l.set(false, l.isUnplugged()) // closing a line cannot fail in a way that matters
	}
	w.keys.drain()
	w.fb.black()
	w.fb.look()
	w.setScreen("off")
	w.note("power cut")
}

// CutWhen arms a power cut at the event that p picks: posd is dead before the reporting device goes on.
func (w *World) CutWhen(p Pattern) {
	w.hub.Arm(p, func(e sim.Event) {
		w.strike()
		w.work.Go(func() {
			w.note("power cut armed for "+p.String(), sim.Field{Name: "at", Value: fmt.Sprintf("%d %s %s", e.Seq, e.Source, e.Summary)})
			w.mu.Lock()
			defer w.mu.Unlock()
			w.settleCut()
		})
	})
	w.note("power cut is armed", sim.Field{Name: "when", Value: p.String()})
}

// Off ends posd in an orderly way, as an administrator would, and takes the power away.
func (w *World) Off() {
	if p := w.child.Load(); p != nil && p.alive() {
		p.stop(3 * time.Second)
	}
	w.PowerCut()
}

// Close ends everything and removes a temporary run directory.
func (w *World) Close() error {
	w.hub.Disarm()
	if w.hw != nil {
		w.Off()
	}
	w.mu.Lock()
	was := w.closed
	w.closed = true
	w.mu.Unlock()
	if was {
		return nil
	}
	if w.stop != nil {
		w.stop()
	}
	w.work.Wait()
	err := w.closeVPCD()
	if w.hw != nil {
		err = errors.Join(err, w.hw.close())
	}
	if w.keys != nil {
		err = errors.Join(err, w.keys.close())
	}
	if w.fb != nil {
		err = errors.Join(err, w.fb.close())
	}
	if w.temp {
		err = errors.Join(err, os.RemoveAll(w.dir))
	}
	return err
}

func (w *World) set(f func()) {
	w.smu.Lock()
	f()
	w.smu.Unlock()
	w.changed.ring()
}

func (w *World) setScreen(s string) { w.set(func() { w.screen = s }) }

// logLine takes a line of posd's log into the trace.
func (w *World) logLine(b []byte) {
	e := logEvent(b)
	if s := screenOf(e); s != "" {
		w.set(func() {
			if w.screen == "off" {
				return
			}
			w.screen = s
			if l := fieldOf(e, "lang"); l != "" {
				w.lang = l
			}
		})
	}
	w.hub.Add(e)
}

// displayRate is how often the display is looked at; a real panel refreshes no faster than the eye needs either.
const displayRate = 40 * time.Millisecond

func (w *World) watchDisplay(ctx context.Context) {
	t := time.NewTicker(displayRate)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if w.fb.look() {
				w.changed.ring()
			}
		}
	}
}

// watchTrace makes State move with the devices: paper, pending payments and the PIN pad tell nobody but the trace.
func (w *World) watchTrace(ctx context.Context) {
	for {
		c := w.hub.Changed()
		select {
		case <-ctx.Done():
			return
		case <-c:
			w.changed.ring()
		}
	}
}

// State is how things stand.
type State struct {
	Power       bool              `json:"power"`
	Posd        string            `json:"posd"`   // "running", "off", or how it ended
	Screen      string            `json:"screen"` // the screen that posd says it shows; "off" without power, "" before the first
	Card        string            `json:"card"`   // name of the card in the reader, or ""
	EnteringPIN bool              `json:"entering_pin"`
	Scanning    bool              `json:"scanning"`
	Faults      []string          `json:"faults"` // those that are on
	Armed       []string          `json:"armed"`  // patterns of armed power cuts
	Phones      map[string]string `json:"phones"` // what the phones that wait for their owner show
	Next        uint64            `json:"next"`   // number of the next trace event
	Dir         string            `json:"dir"`
	VPCD        string            `json:"vpcd"` // where a foreign card can connect, or ""
}

// State says how things stand now.
func (w *World) State() State {
	s := State{Power: w.power.Load(), Posd: "off", Dir: w.dir, VPCD: w.VPCD(), Next: w.hub.Next(), Faults: []string{}, Armed: []string{}}
	w.smu.Lock()
	s.Screen, s.Card = w.screen, w.card
	s.Faults = slices.AppendSeq(s.Faults, maps.Keys(w.faults))
	ended := w.ended
	w.smu.Unlock()
	if s.Screen == "off" {
		s.Power = false
	}
	if p := w.child.Load(); p != nil && s.Power {
		s.Posd = "running"
		if !p.alive() {
			s.Posd = cmp.Or(ended, "ended")
		}
	}
	s.Faults = w.hw.hostFaults(s.Faults)
	slices.Sort(s.Faults)
	if !w.hw.reader.Inserted(0) {
		s.Card = "" // torn out by a fault
	}
	for _, p := range w.hub.Armed() {
		s.Armed = append(s.Armed, p.String())
	}
	s.EnteringPIN, s.Scanning, s.Phones = w.hw.entering(), w.hw.scanning(), w.hw.pending()
	return s
}

// LCD is the picture on the display as a PNG, with a number that grows at each change.
func (w *World) LCD() ([]byte, uint64, error) {
	if w.fb.look() {
		w.changed.ring()
	}
	return w.fb.png()
}
