package world

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"posd/internal/money"
	"posd/sim/acquirer"
	"posd/sim/alipay"
	"posd/sim/card"
	"posd/sim/ccid"
	"posd/sim/escpos"
)

// Insert puts a card of the catalog into the reader, or the one that is connected when name is Foreign.
func (w *World) Insert(name string) error {
	get := func() (ccid.Card, error) { return w.cardNamed(name) }
	if name == Foreign {
		get = func() (ccid.Card, error) { return w.foreignCard() }
	} else if _, err := findCard(name); err != nil {
		return err
	}
	w.smu.Lock()
	have := w.card
	if have == "" {
		w.card = name
	}
	w.smu.Unlock()
	if have != "" {
		return fmt.Errorf("%s is in the reader: remove it first", have)
	}
	c, err := get()
	if err != nil {
		w.set(func() { w.card = "" })
		return err
	}
	w.note("card inserted: " + name)
	w.hw.reader.Insert(0, c)
	if name == Foreign {
		w.sweepForeign(c)
	}
	return nil
}

// cardNamed is the one card of that name: it keeps its counters from one insertion to the next.
func (w *World) cardNamed(name string) (*card.Card, error) {
	w.smu.Lock()
	defer w.smu.Unlock()
	if c, ok := w.cards[name]; ok {
		return c, nil
	}
	c, err := card.Load(name)
	if err != nil {
		return nil, err
	}
	w.cards[name] = c
	return c, nil
}

// Remove takes the card out of the reader.
func (w *World) Remove() error {
	w.smu.Lock()
	had := w.card
	w.card = ""
	w.smu.Unlock()
	if had == "" {
		return errors.New("there is no card in the reader")
	}
	w.hw.reader.Remove(0)
	w.note("card removed: " + had)
	return nil
}

// ShowCode holds a code in front of the scanner.
func (w *World) ShowCode(code string) error {
	if code == "" || len(code) > 4096 {
		return errors.New("a code has 1 to 4096 bytes")
	}
	w.hw.scanner.Present(code)
	return nil
}

// ShowPhone has a phone show its payment code to the scanner. The code is not in the trace: it is as good as money for a minute.
func (w *World) ShowPhone(name string) error {
	if err := w.hw.knownPhone(name); err != nil {
		return err
	}
	code, err := w.hw.gateway.NewCode(name)
	if err != nil {
		return err
	}
	w.smu.Lock()
	w.codes = append(w.codes, code)
	w.smu.Unlock()
	w.note("phone shows its payment code: " + name)
	return w.ShowCode(code)
}

// PhoneScans has a phone scan the QR code on the display: its pixels are decoded as a camera's would be.
func (w *World) PhoneScans(name string) error {
	if err := w.hw.knownPhone(name); err != nil {
		return err
	}
	code, err := w.DisplayQR()
	if err != nil {
		return err
	}
	w.note("phone scans the display: " + name)
	if err := w.hw.gateway.ScanQR(name, code); errors.Is(err, alipay.ErrQR) {
		return errors.New("the phone does not know what to do with the code on the display")
	} else if err != nil {
		return err
	}
	w.changed.ring()
	return nil
}

// DisplayQR reads the QR code on the display.
func (w *World) DisplayQR() (string, error) {
	w.fb.look()
	bmp, err := gozxing.NewBinaryBitmapFromImage(w.fb.image())
	if err != nil {
		return "", err
	}
	r, err := qrcode.NewQRCodeReader().Decode(bmp, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	if err != nil {
		return "", errors.New("there is no QR code on the display")
	}
	return r.GetText(), nil
}

// PaperState tells what hangs out of the printer.
type PaperState struct {
	Version int `json:"version"` // changes with the paper
	Height  int `json:"height"`  // dots
	Torn    int `json:"torn"`    // receipts torn off so far
}

// Paper tells what hangs out of the printer.
func (w *World) Paper() PaperState {
	v, pieces := w.hw.printer.Paper()
	s := PaperState{Version: v}
	for _, p := range pieces {
		s.Height += p.Height()
	}
	w.smu.Lock()
	s.Torn = len(w.torn)
	w.smu.Unlock()
	return s
}

// PaperPNG is a picture of the paper.
func (w *World) PaperPNG() ([]byte, error) { return w.hw.printer.PNG() }

// Tear tears the paper off and returns its text, a blank line between pieces. They stay readable as receipts.
func (w *World) Tear() (string, error) {
	pieces := w.hw.printer.Tear()
	if len(pieces) == 0 {
		return "", errors.New("there is no paper to tear off")
	}
	var text string
	for i, p := range pieces {
		if i > 0 {
			text += "\n"
		}
		text += p.Text
	}
	w.set(func() { w.torn = append(w.torn, pieces...) })
	return text, nil
}

// Receipts are the texts of the receipts torn off, oldest first.
func (w *World) Receipts() []string {
	w.smu.Lock()
	defer w.smu.Unlock()
	out := []string{}
	for _, r := range w.torn {
		out = append(out, r.Text)
	}
	return out
}

// Receipt is the n-th receipt that was torn off, from 1.
func (w *World) Receipt(n int) (text string, png []byte, err error) {
	w.smu.Lock()
	var r *escpos.Receipt
	if n >= 1 && n <= len(w.torn) {
		r = &w.torn[n-1]
	}
	have := len(w.torn)
	w.smu.Unlock()
	if r == nil {
		var names []string
		for i := range have {
			names = append(names, strconv.Itoa(i+1))
		}
		return "", nil, unknown("receipt", strconv.Itoa(n), names)
	}
	png, err = r.PNG()
	return r.Text, png, err
}

// AcquirerBook is what the acquirer has in its books.
type AcquirerBook struct {
	Held    []Held           `json:"held"`
	Entries []acquirer.Entry `json:"entries"`
}

// Held is the money that the acquirer holds for the merchant for one transaction.
type Held struct {
	TID   string `json:"tid"`
	Batch uint32 `json:"batch"`
	STAN  uint32 `json:"stan"`
	Minor int64  `json:"minor"`
}

// Ledger is what a host has in its books.
func (w *World) Ledger(name string) (any, error) {
	switch name {
	case "acquirer":
		b := AcquirerBook{Held: []Held{}, Entries: append([]acquirer.Entry{}, w.hw.host.Ledger()...)}
		for k, v := range w.hw.host.Held() {
			b.Held = append(b.Held, Held{k.TID, k.Batch, k.STAN, v})
		}
		return b, nil
	case "alipay":
		return append([]alipay.Trade{}, w.hw.gateway.Ledger()...), nil
	}
	return nil, unknown("ledger", name, []string{"acquirer", "alipay"})
}

// Journal is posd's journal as "posd journal" prints it, one record an entry. A running posd has its file locked, so a copy is read.
func (w *World) Journal(ctx context.Context) ([]json.RawMessage, error) {
	records := []json.RawMessage{}
	var err error
	for range 3 { // a copy taken in the middle of a commit may be torn
		if records, err = w.readJournal(ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	return records, err
}

func (w *World) readJournal(ctx context.Context) ([]json.RawMessage, error) {
	records := []json.RawMessage{}
	b, err := os.ReadFile(filepath.Join(w.path("data"), "journal.db"))
	if errors.Is(err, os.ErrNotExist) {
		return records, nil
	} else if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(w.dir, "journal-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "journal.db"), b, 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var stderr bytes.Buffer
	c := exec.CommandContext(ctx, w.opt.Posd, "journal", "-data", dir)
	c.Env = append(os.Environ(), w.opt.Env...)
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("posd journal: %w: %.300s", err, stderr.String())
	}
	for l := range bytes.Lines(out) {
		if l = bytes.TrimSpace(l); len(l) == 0 {
			continue
		}
		if !json.Valid(l) {
			return nil, fmt.Errorf("posd journal prints what is no JSON: %.80q", l)
		}
		records = append(records, bytes.Clone(l))
	}
	return records, nil
}

func yuan(minor int64) string { return money.Yuan(minor).String() }

// doLanguage presses F1 at the idle screen, as the operator would, until the terminal speaks the language.
func doLanguage(ctx context.Context, w *World, args []string) (any, error) {
	want, err := one(args)
	if err != nil {
		return nil, err
	}
	if want != "zh" && want != "en" {
		return nil, unknown("language", want, []string{"zh", "en"})
	}
	if s := w.Screen(); s != "idle" {
		return nil, fmt.Errorf("the language is chosen at the idle screen; the screen is %q", s)
	}
	w.smu.Lock()
	have := w.lang
	w.smu.Unlock()
	if have == want {
		return nil, nil
	}
	f1, err := FindKey("f1")
	if err != nil {
		return nil, err
	}
	from := w.hub.Next()
	if err := w.Press(f1); err != nil {
		return nil, err
	}
	idle := Pattern{Source: "screen", Text: "idle"}
	_, err = w.waitFrom(ctx, from, idle, DefaultWait)
	return nil, err
}
