package pinpad

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posd/hal/pinpad/padtest"
	"posd/sim"
)

// wire talks to a pad byte by byte; it shares no code with the driver.
type wire struct {
	*testing.T
	pad *Pad
	dev interface{ SetReadDeadline(time.Time) error }
	rw  interface {
		Read([]byte) (int, error)
		Write([]byte) (int, error)
	}
}

func onWire(t *testing.T, name string, o Options, f func(w *wire)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o.Pace = &Pace{}
			line := padtest.New()
			port, err := line.Open()
			if err != nil {
				t.Fatal(err)
			}
			w := &wire{T: t, pad: New(o), dev: port, rw: port}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = w.pad.Serve(ctx, line.Device())
			}()
			f(w)
			cancel()
			<-done
		})
	})
}

// frame wraps a packet; admin ones are those that begin with two digits, but for 70 to 72.
func frame(body string) string {
	start, end := byte(stx), byte(etx)
	if body[0] != 'Z' && body[0] != '7' {
		start, end = si, so
	}
	lrc := end
	for i := range len(body) {
		lrc ^= body[i]
	}
	return string(start) + body + string(end) + string(rune(lrc))
}

// say sends bytes and returns what comes back without waiting: frames as their text, link bytes by name.
func (w *wire) say(s string) string {
	w.Helper()
	if _, err := w.rw.Write([]byte(s)); err != nil {
		w.Fatal(err)
	}
	return w.hear(0)
}

func (w *wire) hear(d time.Duration) string {
	w.Helper()
	time.Sleep(d)
	synctest.Wait()
	var got []byte
	for {
		_ = w.dev.SetReadDeadline(time.Now().Add(time.Nanosecond))
		b := make([]byte, 512)
		n, err := w.rw.Read(b)
		if err != nil {
			break
		}
		got = append(got, b[:n]...)
	}
	var out []string
	for i := 0; i < len(got); i++ {
		switch c := got[i]; c {
		case ack:
			out = append(out, "ACK")
		case nak:
			out = append(out, "NAK")
		case eot:
			out = append(out, "EOT")
		case si, stx:
			end := byte(so)
			if c == stx {
				end = etx
			}
			n := strings.IndexByte(string(got[i:]), end)
			if n < 0 || i+n+1 >= len(got) {
				w.Fatalf("half a frame: %q", got[i:])
			}
			body := string(got[i+1 : i+n])
			if f := frame(body); f != string(got[i:i+n+2]) {
				w.Errorf("bad frame %q", got[i:i+n+2])
			}
			out = append(out, body)
			i += n + 1
		default:
			out = append(out, fmt.Sprintf("%02X", c))
		}
	}
	return strings.Join(out, " ")
}

// steps plays lines "> what is sent" with the expected answer; "press X" and "wait 5s" are steps too.
func (w *wire) steps(list ...string) {
	w.Helper()
	for i := 0; i < len(list); i += 2 {
		what, want := list[i], list[i+1]
		got := ""
		switch verb, arg, _ := strings.Cut(what, " "); verb {
		case "press":
			for _, k := range arg {
				w.pad.Press(k)
			}
			got = w.hear(0)
		case "wait":
			d, err := time.ParseDuration(arg)
			if err != nil {
				w.Fatal(err)
			}
			got = w.hear(d)
		case "raw":
			got = w.say(arg)
		default:
			got = w.say(frame(what))
		}
		if got != want {
			w.Errorf("step %d, %q: %q, want %q", i/2, what, got, want)
		}
	}
}

const (
	wack = "raw \x06"
	wnak = "raw \x15"
	weot = "raw \x04"
	z60  = "Z60.4012345678909\x1c4F17866366ACA0F653E180FE366C0C73"
)

func TestWireVF(t *testing.T) {
	onWire(t, "published frames", Options{}, func(w *wire) {
		w.steps(
			"raw \x0f11\x0e\x0e", "ACK",
			"raw \x0f040\x0e:", "ACK 04F",
			wack, "EOT",
			"raw \x0f087\x0e1", "ACK EOT",
			"raw \x0f080\x0e6", "ACK EOT",
			"raw \x02Z2\x1aWELCOME\x03+", "ACK",
			"raw \x02"+z60+"\x03S", "ACK",
			"press 1234\r", "71.00401FB54E34996C8BFF2",
			wack, "",
			"raw \x0272\x03\x06", "ACK",
			"Z66400"+"0\x1c8FE10196464FD3591A4D672DCA6CB335\x1c\x1cAMT$1.99REF00042", "ACK Z67008B3A350FE33832A",
			wack, "",
		)
	})
	onWire(t, "link rules", Options{}, func(w *wire) {
		w.steps(
			"raw \x0f11\x0e\x0f", "NAK",
			"raw noise\x06\x15\x04\xff", "",
			"raw \x02Z1", "",
			"wait 1s", "",
			"raw \x03\x68", "", // the beginning was too long ago
			"raw \x02Z\x0f11\x0e\x0e", "ACK",
			"raw \x02"+strings.Repeat("A", 400), "",
			"11", "ACK",
			"98", "ACK", // unknown: ACK and silence
			"040", "ACK 04F",
			"11", "", // not before the answer is settled
			"wait 4990ms", "",
			"wait 20ms", "04F",
			"wait 5s", "04F",
			"wait 5s", "EOT",
			"wait 60s", "",
			"040", "ACK 04F",
			wnak, "04F", wnak, "04F", wnak, "EOT",
			"040", "ACK 04F",
			weot, "",
			"11", "ACK",
		)
	})
	onWire(t, "PIN entry", Options{}, func(w *wire) {
		w.steps(
			z60, "ACK",
			"11", "", "Z1", "", z60, "", // only 72 is heard
			"raw \x0272\x03\x07", "", // not even NAK
			"72", "EOT",
			z60, "ACK",
			"press 123\r", "", "press \x1b", "EOT",
			z60+"\x1c1", "ACK",
			"wait 29s", "", "wait 2s", "EOT",
			z60, "ACK",
			"wait 269s", "", "wait 2s", "EOT",
			"Z60.1234567\x1c4F17866366ACA0F653E180FE366C0C73", "ACK 712", wack, "",
			"Z60.40123456x8909\x1c4F17866366ACA0F653E180FE366C0C73", "ACK 712", wack, "",
			"Z60.4012345678909\x1c4F17866366ACA0F6", "ACK 717", wack, "",
			"Z60.4012345678909\x1c4F17", "ACK 712", wack, "",
			"Z604012345678909\x1c4F17866366ACA0F653E180FE366C0C73", "ACK 712", wack, "",
			z60+"\x1c0", "ACK 712", wack, "",
			strings.Replace(z60, "Z60", "Z63", 1)+"0313N*", "ACK 712", wack, "",
			strings.Replace(z60, "Z60", "Z63", 1)+"0606N*", "ACK",
			"press 12345\r67", "", "press \r", "71.00601563C55D4E3A8768D",
			wack, "",
			strings.Replace(z60, "Z60", "Z63", 1)+"0000Y*", "ACK",
			"press 1234", "", "press \r", "71.00001", wack, "",
			"080", "ACK EOT",
			"087", "ACK EOT",
			z60, "ACK 711", wack, "",
			strings.Replace(z60, "Z60", "70", 1)+"1.0", "ACK 711", wack, "",
		)
	})
	onWire(t, "keys of the pad", Options{}, func(w *wire) {
		w.steps(
			"Z4230", "EOT", // nothing shown
			"Z2\x1aPRESS ENTER", "ACK",
			"Z4230", "ACK",
			"press 12345", "", // digits stay in the pad
			"press \r", "Z43#", wack, "",
			"Z2\x1aTYPE YOUR PIN", "ACK",
			"Z500030", "EOT",
			"Z2\x1aPRESS", "ACK",
			"Z425", "ACK", "wait 6s", "Z43?", wack, "",
			"Z2\x1aPRESS", "ACK", "Z425", "ACK", "press \x1b", "Z43*", wack, "",
			"Z2\x1aPRESS", "ACK", "Z425", "ACK", "72", "EOT",
			"Z2\x1aPRESS", "ACK", "Z42999", "ACK EOT",
		)
	})
	onWire(t, "several lines", Options{}, func(w *wire) {
		w.steps("Z2\x1aONE", "ACK", "Z2TWO", "ACK")
		if got := strings.Join(w.pad.Display(), "|"); got != "ONE|TWO" {
			t.Errorf("display %q", got)
		}
		if !w.pad.Press(KeyCancel) || w.pad.Display()[0] != "WELCOME" || w.pad.Press('1') || w.pad.Press(KeyCancel) {
			t.Error("the cancel key of an idle pad")
		}
	})
	onWire(t, "MAC", Options{}, func(w *wire) {
		head := "0\x1c8FE10196464FD3591A4D672DCA6CB335\x1c\x1c"
		w.steps(
			"Z66400"+head+"AMT$1.99REF00042", "ACK Z67008B3A350FE33832A", wack, "",
			"Z66600"+head+"414D5424312E3939524546303030", "ACK Z6703CD492B34264A79A", wack, "",
		)
	})
	onWire(t, "MAC refusals", Options{}, func(w *wire) {
		head := "0\x1c8FE10196464FD3591A4D672DCA6CB335\x1c\x1c"
		w.steps(
			"Z66500"+head+"AMT$1.99", "ACK Z671", wack, "",
			"Z66401"+head+"REF00042", "ACK Z67008B3A350FE33832A", wack, "",
			"Z66401"+head+"REF00042", "ACK Z672", wack, "",
			"Z66500"+head+"AMT$1.99", "ACK Z671", wack, "",
			"Z66400"+head+"REF00042", "ACK Z672", wack, "",
			"Z66500"+head+"AMT$1.99", "ACK Z671", wack, "",
			"72", "ACK",
			"Z66401"+head+"REF00042", "ACK Z672", wack, "",
			"Z66500"+head+"AMT$1.9", "ACK Z675", wack, "",
			"Z66300"+head+"AMT$1.99", "ACK Z676", wack, "",
			"Z66600"+head+"4G", "ACK Z677", wack, "",
			"Z66600"+head, "ACK Z675", wack, "",
			"Z66600"+head+strings.Repeat("00", 113), "ACK Z675", wack, "",
			"Z66400"+strings.Replace(head, "0", "5", 1)+"AMT", "ACK Z673", wack, "",
			"Z66400"+strings.Replace(head, "8F", "xx", 1)+"AMT", "ACK Z678", wack, "",
			"Z664", "ACK Z675", wack, "",
		)
	})
	onWire(t, "load", Options{Trace: func(e sim.Event) {
		if strings.Contains(fmt.Sprint(e), TestTMK[:8]) {
			t.Error("the trace shows a key")
		}
	}}, func(w *wire) {
		w.steps("021"+TestTMK, "EOT")
		w.pad.Inject()
		w.steps(
			"021"+TestTMK, "ACK 021"+TestTMK, weot, "",
			"041", "ACK 040", wack, "EOT",
			"021"+TestTMK, "ACK 021"+TestTMK, "wait 20s", "021"+TestTMK+" 021"+TestTMK+" EOT",
			"041", "ACK 040", wack, "EOT",
			"021"+TestTMK, "ACK 021"+TestTMK, wack, "EOT",
			"041", "ACK 04F", wack, "EOT",
			"0210123456789ABCDEF", "ACK EOT",
			"02Z"+TestTMK, "ACK EOT",
		)
	})
}

func TestWireUIC(t *testing.T) {
	uic := Options{Dialect: UIC}
	onWire(t, "prompts", uic, func(w *wire) {
		w.steps(
			"087", "ACK 080", wack, "EOT", "08A", "ACK 081", wack, "EOT", "080", "ACK 080", wack, "EOT",
			z60, "EOT", // no prompt
			"Z2\x1aENTER PIN", "ACK",
			z60, "EOT", // the terminal's words do not count
			"Z2\x1d101\x1a", "ACK Z20", wack, "",
			z60, "EOT", // a prompt for data
			"raw \x02Z2\x1e001\x1a\x03\x5e", "ACK Z20", wack, "",
			z60, "ACK",
			"press 1234\r", "71.00401FB54E34996C8BFF2", wack, "",
			"Z2\x1e101\x1a", "ACK Z21", wack, "",
			z60, "EOT",
			strings.Replace(z60, "Z60", "Z63", 1)+"0412N*", "EOT",
		)
	})
	onWire(t, "clear digits", uic, func(w *wire) {
		w.steps(
			"Z2\x1e001\x1a", "ACK Z20", wack, "",
			"Z5000306", "EOT", // not under a PIN prompt
			"Z2\x1e001\x1a", "ACK Z20", wack, "",
			"Z4230", "ACK", "press 1", "", "press \b", "Z43/", wack, "",
			"Z2\x1d101\x1a", "ACK Z20", wack, "",
			"Z5000306", "ACK", "press 12\b3456789\r", "Z51345678", wack, "",
			"Z2\x1d101\x1a", "ACK Z20", wack, "",
			"Z4230", "ACK", "press 7", "Z437", wack, "",
			"Z2\x1d103\x1a", "ACK Z20", wack, "",
			"Z5000306", "ACK", "wait 20s", "", "press 1", "", "wait 20s", "", "wait 11s", "EOT",
			"Z2\x1d103\x1a", "ACK Z20", wack, "",
			"Z5000306", "ACK", "press 1\x1b", "EOT",
		)
	})
	onWire(t, "codes", uic, func(w *wire) {
		k := "\x1c4F17866366ACA0F653E180FE366C0C73"
		z62 := "0412NENTER PIN\x1c\x1cPROCESSING"
		w.steps(
			"Z62."+k+z62, "ACK 710", wack, "",
			"Z62.1234567"+k+z62, "ACK 712", wack, "",
			"Z62.12345678901234567890"+k+z62, "ACK 713", wack, "",
			"Z62.12345678x"+k+z62, "ACK 714", wack, "",
			"Z62.4012345678909\x1cXX"+k[3:]+z62, "ACK 715", wack, "",
			"Z62.4012345678909"+k+z62+"\x1c0", "ACK 716", wack, "",
			"Z62.4012345678909"+k+"0313"+z62[4:], "ACK 718", wack, "",
			"Z62.4012345678909"+k+z62+"\x1c\x1c", "ACK 718", wack, "",
			"Z62.4012345678909"+k+"0412NENTER", "ACK EOT",
			"70.4012345678909"+k+"1", "ACK 718", wack, "",
			"Z62.4012345678909\x1c4F17866366ACA0F6"+z62, "ACK 711", wack, "",
			"085", "ACK 080", wack, "EOT",
			"Z62.4012345678909"+k+z62, "ACK 719", wack, "",
		)
	})
	onWire(t, "slots have a purpose", Options{Dialect: UIC, AnyKey: true}, func(w *wire) {
		a, b, c := "11111111111111112222222222222222", "33333333333333334444444444444444", "5555555555555555"
		w.pad.Inject()
		w.steps(
			"020"+a+"\x1cM3G", "ACK 02?E", wack, "EOT",
			"020"+a+"\x1cK0E", "ACK 02?E", wack, "EOT",
			"02B"+a+"\x1cP0E", "ACK 02?E", wack, "EOT",
			"02A"+a, "ACK 02?E", wack, "EOT",
			"020"+a[:20], "ACK 02?A", wack, "EOT",
			"020"+a+"\x1cK0", "ACK 02?A", wack, "EOT",
			"020"+c, "ACK 02?B", wack, "EOT",
			"020"+a+"\x1cP0E", "ACK 020"+a+"\x1cP0E", wack, "EOT",
			"02B"+a+"\x1cM3G", "ACK 02?2", wack, "EOT",
			"02B"+b+"\x1cM3G", "ACK 02B"+b+"\x1cM3G", wack, "EOT",
			"02C"+c+"\x1cM1G", "ACK 02C"+c+"\x1cM1G", wack, "EOT",
			"02DFEFEFEFEFEFEFEFE\x1cM1G", "ACK 02DFEFEFEFEFEFEFEFE\x1cM1G", wack, "EOT",
			// P0: the slot's key enciphers, the session key must be zeros
			"Z62.4012345678909\x1c"+b+"0412NENTER PIN", "ACK 71A", wack, "",
			"Z62.4012345678909\x1c"+strings.Repeat("0", 32)+"0412NENTER PIN", "ACK", "press 1234\r", "71.00401"+pinUnder(t, a), wack, "",
			// M3, and M1 with M1
			"Z66600B\x1c"+strings.Repeat("0", 32)+"\x1c\x1c00", "ACK Z670"+macUnder(t, b), wack, "",
			"Z66600B\x1c"+b+"\x1c\x1c00", "ACK Z678", wack, "",
			"Z66600C\x1c"+strings.Repeat("0", 32)+"\x1cD\x1c00", "ACK Z670"+macUnder(t, c+"FEFEFEFEFEFEFEFE"), wack, "",
			"Z66600C\x1c"+strings.Repeat("0", 32)+"\x1c\x1c00", "ACK Z678", wack, "",
			"Z66600C\x1c"+strings.Repeat("0", 32)+"\x1cC\x1c00", "ACK Z678", wack, "",
			"Z666000\x1c"+strings.Repeat("0", 32)+"\x1c\x1c00", "ACK Z673", wack, "",
		)
	})
}
