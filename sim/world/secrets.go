package world

import "fmt"

// Secrets are what must not be found in anything that posd writes or that the trace shows, by name: card numbers, keys, and the payment
// codes that phones have shown so far.
func (w *World) Secrets() map[string]string {
	out := w.hw.host.Secrets()
	w.smu.Lock()
	defer w.smu.Unlock()
	for i, c := range w.codes {
		out[fmt.Sprintf("payment code %d", i+1)] = c
	}
	return out
}

// PaperText is what is on the paper that hangs out of the printer.
func (w *World) PaperText() string { return w.hw.printer.Text() }
