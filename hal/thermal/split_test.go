package thermal

import (
	"bytes"
	"errors"
	"testing"
)

func TestSplitEndsAtCommandsAndLines(t *testing.T) {
	picture := append([]byte("\x1dv0\x00\x02\x00\x18\x00"), bytes.Repeat([]byte{0x1d}, 48)...)
	data := append([]byte("\x1b@\x1ba\x01\x1c&\xbd\xf0\xb6\xee\x1c.\n"), picture...)
	data = append(data, "\x1d!\x11RMB 1.00\n\x1d!\x00tail"...)
	chunks, err := split(data, 8)
	if err != nil {
		t.Fatal(err)
	}
	var ends []int
	n := 0
	for _, c := range chunks {
		n += len(c.data)
		ends = append(ends, n)
	}
	want := []int{13, 70, 82, len(data)} // FS ., picture, line, rest
	if len(ends) != len(want) {
		t.Fatalf("chunks end at %v, want %v", ends, want)
	}
	for i := range want {
		if ends[i] != want[i] {
			t.Fatalf("chunks end at %v, want %v", ends, want)
		}
	}
	if r := []int{chunks[0].rows, chunks[1].rows, chunks[2].rows}; r[0] != 0 || r[1] != lineRows+24 || r[2] != tallRows {
		t.Errorf("rows %v", r)
	}
}

func TestSplitRefuses(t *testing.T) {
	for _, c := range []struct {
		name, data string
		offset     int
	}{
		{"unknown command", "abc\n\x1bZ", 4},
		{"lone escape", "abc\x1b", 3},
		{"picture cut short", "\x1dv0\x00\x30\x00\x18\x00abc", 0},
		{"picture of 4 GB", "\x1dv0\x00\xff\xff\xff\xff", 0},
		{"QR data cut short", "\n\x1d(k\x30\x00", 1},
		{"real-time command in the data", "\x10\x04\x01", 0},
	} {
		_, err := split([]byte(c.data), 512)
		var e *SplitError
		if !errors.As(err, &e) || e.Offset != c.offset {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte("\x1b@text\n\x1d(k\x03\x00\x31\x43\x06\x1dV\x01"), 4)
	f.Add([]byte("\x1dv0\x00\xff\xff\xff\xff"), 512)
	f.Add([]byte("\x1bd"), 1)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		chunks, err := split(data, size)
		if err != nil {
			return
		}
		var all []byte
		for _, c := range chunks {
			if len(c.data) == 0 {
				t.Fatal("empty chunk")
			}
			all = append(all, c.data...)
		}
		if !bytes.Equal(all, data) {
			t.Fatalf("chunks are % X, data is % X", all, data)
		}
	})
}
