package ccid

import (
	"bytes"
	"embed"
	"path"
	"strings"
	"testing"
)

// The transcripts are frames that went between libccid and a reader: what the daemon pcscd logged while a card was powered, asked
// for its applications and taken away. ">" is from the host.
//
//go:embed testdata/*.txt
var transcripts embed.FS

type line struct {
	out bool
	b   []byte
}

func transcript(t testing.TB, name string) []line {
	t.Helper()
	text, err := transcripts.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var lines []line
	for _, l := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		dir, hex, ok := strings.Cut(l, " ")
		if !ok || dir != ">" && dir != "<" {
			t.Fatalf("%s: %q", name, l)
		}
		lines = append(lines, line{dir == ">", dehex(t, hex)})
	}
	return lines
}

func transcriptNames(t testing.TB) []string {
	entries, err := transcripts.ReadDir("testdata")
	if err != nil || len(entries) == 0 {
		t.Fatalf("transcripts: %v", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestTranscripts reads what a reader said to libccid, byte by byte and at once, and builds the commands of libccid anew.
func TestTranscripts(t *testing.T) {
	for _, name := range transcriptNames(t) {
		t.Run(path.Base(name), func(t *testing.T) {
			var sent message
			answers := 0
			for _, l := range transcript(t, name) {
				whole, bytewise := items(l.b, len(l.b)), items(l.b, 1)
				if len(whole) != len(bytewise) {
					t.Fatalf("% X: %d items at once, %d byte by byte", l.b, len(whole), len(bytewise))
				}
				if l.out {
					if len(whole) != 1 || whole[0].kind != itemMessage {
						t.Fatalf("% X: %+v", l.b, whole)
					}
					sent = whole[0].msg
					if b := sent.appendFrame(nil); !bytes.Equal(b, l.b) {
						t.Fatalf("built % X, libccid sent % X", b, l.b)
					}
					continue
				}
				last := whole[len(whole)-1]
				if last.kind != itemMessage || last.msg.typ != answerType(sent.typ) || last.msg.seq != sent.seq || last.msg.slot != sent.slot {
					t.Fatalf("command %+v, answer % X: %+v", sent, l.b, last)
				}
				answers++
			}
			if answers < 50 {
				t.Errorf("only %d answers", answers)
			}
		})
	}
}

func items(b []byte, step int) (out []item) {
	var d decoder
	for len(b) > 0 {
		n := min(step, len(b))
		d.push(b[:n])
		b = b[n:]
		for {
			it, ok := d.next()
			if !ok {
				break
			}
			out = append(out, it)
		}
	}
	return out
}

// TestPowerOnAsLibccid wants the driver to send the bytes that libccid sends for the same steps, sequence numbers aside.
func TestPowerOnAsLibccid(t *testing.T) {
	want := map[byte][][]byte{} // by type: frames of the transcripts, sequence number and LRC blanked
	blank := func(b []byte) []byte { b = bytes.Clone(b); b[8], b[len(b)-1] = 0, 0; return b }
	for _, name := range transcriptNames(t) {
		for _, l := range transcript(t, name) {
			if l.out {
				want[l.b[2]] = append(want[l.b[2]], blank(l.b))
			}
		}
	}
	for _, atr := range []string{"3B6500 00 706F736430", "3BE500008131FE45706F736431D7"} {
		bubble(t, atr, func(t *testing.T) {
			r, f := newFake(t, nil, card(dehex(t, atr), func(b []byte) []byte { return dehex(t, "00E101FE1E") }))
			if _, err := r.PowerOn(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, m := range f.heard {
				found := false
				for _, w := range want[m.typ] {
					found = found || bytes.Equal(w, blank(m.appendFrame(nil)))
				}
				if !found {
					t.Errorf("libccid never sends % X", m.appendFrame(nil))
				}
			}
		})
	}
}

func FuzzDecoder(f *testing.F) {
	for _, name := range transcriptNames(f) {
		for i, l := range transcript(f, name) {
			if i < 20 {
				f.Add(l.b)
			}
		}
	}
	f.Add([]byte{3, 6, 0x80, 0xFF, 0xFF, 0xFF, 0xFF})
	f.Add([]byte{3, 6, 0x80, 5, 1, 0, 0, 0, 0})
	f.Add([]byte{3, 0x15, 0x16, 0x50, 3, 0x50, 0x90, 3, 3, 6})
	f.Fuzz(func(t *testing.T, b []byte) {
		var d decoder
		d.push(b)
		for range len(b) + 2 {
			it, ok := d.next()
			if !ok {
				if !d.skip() {
					break
				}
				continue
			}
			if it.kind != itemMessage {
				continue
			}
			var again decoder
			again.push(it.msg.appendFrame(nil))
			if back, ok := again.next(); !ok || back.kind != itemMessage || back.msg.typ != it.msg.typ || !bytes.Equal(back.msg.data, it.msg.data) {
				t.Fatalf("%+v -> %+v", it.msg, back.msg)
			}
		}
		if len(d.buf) > 0 {
			t.Fatalf("%d bytes never used up", len(d.buf))
		}
	})
}
