package kernel2

import (
	"context"
	"time"

	"posd/emv/tlv"
)

// Terminal is the merchant's application at the other end of data exchange (Book C-2, 3.5 and 4.6): the signals DEK and DET as calls. Its
// methods are called from the goroutine of Activate and must not call the Kernel but for Stop.
type Terminal interface {
	// DEK tells what the kernel needs and hands over data that was asked for, as TLV objects; it returns at once. The data may hold the PAN.
	DEK(needed []tlv.Tag, toSend []byte)
	// DET returns TLV objects from the terminal, nil when it has none to give. With wait the kernel cannot go on without: DET waits for
	// them, at most so long.
	DET(ctx context.Context, wait time.Duration) []byte
}

// exchange holds the lists of data exchange (Book C-2, 4.6).
type exchange struct {
	needed  []tlv.Tag
	send    []byte
	readYet []tlv.Tag
	before  []tlv.Object // tags to write yet before generate AC
	after   []tlv.Object // tags to write yet after generate AC
}

const (
	maxTags    = 64  // own bound on what a terminal can ask to be read
	maxObjects = 256 // own bound on objects in one DET
)

// need adds a tag to Data Needed.
func (x *exchange) need(t tlv.Tag) {
	for _, have := range x.needed {
		if have == t {
			return
		}
	}
	x.needed = append(x.needed, t)
}

// readTags adds the tags of DF8112 to Tags To Read Yet. Tags that cannot be read are dropped with what is behind them.
func (x *exchange) readTags(v []byte) bool {
	for len(v) > 0 {
		t, n := readTag(v)
		if n == 0 || len(x.readYet) == maxTags {
			return false
		}
		x.readYet = append(x.readYet, t)
		v = v[n:]
	}
	return true
}

// readTag reads one tag by trying its possible lengths: a tag list holds nothing but tags.
func readTag(v []byte) (tlv.Tag, int) {
	var t tlv.Tag
	for n := 1; n <= 4 && n <= len(v); n++ {
		t = t<<8 | tlv.Tag(v[n-1])
		if validTag(t) && t.Len() == n {
			return t, n
		}
	}
	return 0, 0
}

// objects reads a list of objects to write. Tags longer than two bytes do not fit PUT DATA.
func objects(v []byte) ([]tlv.Object, bool) {
	var out []tlv.Object
	d := tlv.NewDecoder(v)
	for {
		o, ok := d.Next()
		if !ok {
			return out, d.Err() == nil
		}
		if o.Tag.Len() > 2 || len(o.Value) > maxData || len(out) == maxObjects {
			return out, false
		}
		out = append(out, o)
	}
}

// moveRead moves what has been read from Tags To Read Yet to Data To Send. With rest also the tags that have no value go there, empty, and
// none stays (S456.21).
func (t *tap) moveRead(rest bool) {
	x := &t.ex
	left := x.readYet[:0]
	for _, tag := range x.readYet {
		v := t.db[tag]
		_, known := dictionary[tag]
		switch {
		case len(v) > 0, rest && known:
			x.send = tlv.Append(x.send, tag, v)
		case !rest:
			left = append(left, tag)
		}
	}
	x.readYet = left
}

// dek sends DEK when it is due, and takes a DET that is there.
func (t *tap) dek() {
	if t.k.o.Terminal != nil {
		t.k.o.Terminal.DEK(t.ex.needed, t.ex.send)
	}
	t.ex.needed, t.ex.send = nil, nil
	t.det(0)
}

// dekIfDue sends DEK when data are needed, or when data were asked for and nothing more is to be read (S3R1.15, S456.3, S456.8).
func (t *tap) dekIfDue(needed bool) bool {
	x := &t.ex
	if (needed && len(x.needed) > 0) || (len(x.send) > 0 && len(x.readYet) == 0) {
		t.dek()
		return true
	}
	return false
}

// det takes a DET signal, waiting for it when wait is not 0, and reports whether one came.
func (t *tap) det(wait time.Duration) bool {
	if t.k.o.Terminal == nil {
		return false
	}
	b := t.k.o.Terminal.DET(t.ctx, wait)
	if b == nil {
		return false
	}
	for range maxObjects {
		o, rest, ok := terminalObject(b)
		if !ok {
			break
		}
		b = rest
		if !t.db.storeTerminal(o.Tag, o.Value) {
			continue
		}
		switch o.Tag {
		case tagTagsToRead:
			t.ex.readTags(o.Value)
		case tagWriteBefore:
			more, _ := objects(o.Value)
			t.ex.before = append(t.ex.before, more...)
		case tagWriteAfter:
			more, _ := objects(o.Value)
			t.ex.after = append(t.ex.after, more...)
		}
	}
	return true
}

// waitFor waits for the terminal until ready, at most DF8127 milliseconds (S2, S6, S8). It returns the L3 error, 0 for none.
func (t *tap) waitFor(ready func() bool) (l3 byte, err error) {
	limit := time.Duration(t.db.number(tagTimeOut)) * time.Millisecond
	for start := t.a.Now(); !ready(); {
		left := limit - t.a.Now().Sub(start)
		if left <= 0 || !t.det(left) {
			if err := t.ctx.Err(); err != nil {
				return 0, err
			}
			if t.stopped() {
				return l3Stop, nil
			}
			if ready() {
				return 0, nil
			}
			return l3TimeOut, nil
		}
		if t.stopped() {
			return l3Stop, nil
		}
	}
	return 0, nil
}

// nextGetData takes the first of Tags To Read Yet that GET DATA can read (Book C-2, 4.6.4).
func (x *exchange) nextGetData() (tlv.Tag, bool) {
	for i, t := range x.readYet {
		if t == tagBalance || t >= tagEnvelopeFirst && t <= tagEnvelopeLast {
			x.readYet = append(x.readYet[:i:i], x.readYet[i+1:]...)
			return t, true
		}
	}
	return 0, false
}
