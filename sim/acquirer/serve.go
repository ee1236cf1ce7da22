package acquirer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"posd/netlink"
)

// largestRequest is the longest frame that the host reads, in bytes.
const largestRequest = 4096

// errHungUp ends a connection on purpose.
var errHungUp = errors.New("acquirer host: hung up by a fault switch")

// Serve talks to one terminal on an open line until ctx ends, the line is gone or something comes that is not a frame. It needs no
// Start; under it there is no TLS but what the line brings.
func (h *Host) Serve(ctx context.Context, line net.Conn) error {
	stop := context.AfterFunc(ctx, func() { line.Close() })
	defer stop()
	in, buf := bufio.NewReader(line), make([]byte, largestRequest)
	for {
		frame, err := netlink.ReadFrame(in, buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := h.serveOne(ctx, line, frame); err != nil {
			return err
		}
	}
}

// serveOne processes one frame and answers it, or does what a fault switch says.
func (h *Host) serveOne(ctx context.Context, line net.Conn, frame []byte) error {
	r, err := readRequest(frame)
	if err != nil {
		h.mu.Lock()
		h.enter(Entry{Outcome: "unreadable: " + err.Error(), Raw: r.frame})
		h.mu.Unlock()
		h.traceUnreadable(err)
		return nil
	}
	mti := r.msg.MTI()
	h.traceRequest(r)
	if h.hit(CloseBefore, mti) {
		h.mu.Lock()
		h.enter(r.entry(decision{outcome: "not processed"}, CloseBefore))
		h.mu.Unlock()
		h.traceFault(CloseBefore)
		return errHungUp
	}
	h.mu.Lock()
	d := h.decide(r)
	row := h.enter(r.entry(d, ""))
	a := h.answerTo(r, d)
	h.mu.Unlock()
	fault, err := h.deliver(ctx, line, r, a)
	if fault != "" {
		h.mu.Lock()
		h.ledger[row].Fault = fault
		h.mu.Unlock()
	}
	return err
}

// entryMode is how the card was read, as the message says it.
func (r *request) entryMode() string {
	mode, f60 := r.msg.Text(22), r.msg.Text(60)
	if mode == "" || len(f60) < 13 {
		return mode
	}
	return mode + "/" + f60[12:13]
}

func (r *request) entry(d decision, fault string) Entry {
	return Entry{
		MTI: r.msg.MTI(), TID: r.key.TID, Batch: r.key.Batch, STAN: r.key.STAN, Minor: r.minor, PAN: maskPAN(r.pan), Entry: r.entryMode(),
		Code: d.code, Auth: d.auth, RRN: d.rrn, Outcome: d.outcome, Fault: fault, Raw: r.frame,
	}
}

// deliver puts the answer on the line as the fault switches want it. It returns the name of the fault that was in force.
func (h *Host) deliver(ctx context.Context, line net.Conn, r *request, a *answer) (fault string, err error) {
	mti := r.msg.MTI()
	for _, name := range []string{
		ReplyLost, ReplyLate, HalfReply, SlowBytes, WrongMAC, WrongSTAN, WrongAmount, ForeignReply, DuplicateReply, Garbage, BadLength, Unresolved68,
	} {
		if h.hit(name, mti) {
			fault = name
			h.traceFault(fault)
			break
		}
	}
	good := a.frame()
	switch fault {
	case ReplyLost:
		return fault, nil
	case ReplyLate:
		if !sleep(ctx, h.opt.LateBy) {
			return fault, ctx.Err()
		}
	case HalfReply:
		if _, err := line.Write(good[:len(good)/2]); err != nil {
			return fault, err
		}
		return fault, errHungUp
	case SlowBytes:
		for i := range good {
			if !sleep(ctx, h.opt.SlowBy) {
				return fault, ctx.Err()
			}
			if _, err := line.Write(good[i : i+1]); err != nil {
				return fault, err
			}
		}
		h.traceAnswer(a)
		return fault, nil
	case WrongMAC:
		good[len(good)-1] ^= 1
	case WrongSTAN:
		good = a.variant(11, fmt.Sprintf("%06d", r.key.STAN%999999+1))
	case WrongAmount:
		good = a.variant(4, fmt.Sprintf("%012d", (r.minor+1)%1e12))
	case ForeignReply:
		good = append(a.variant(41, "99999999"), good...)
	case DuplicateReply:
		good = append(good, good...)
	case Garbage:
		good = []byte("\x00\x10\xDE\xAD\xBE\xEF <html>busy\n")[:18]
	case BadLength:
		good = []byte{0, 0}
	case Unresolved68:
		good = a.variant(39, "68")
	}
	h.traceAnswer(a)
	_, err = line.Write(good)
	return fault, err
}

// variant is the frame of the answer with one field changed and the right MAC; the answer itself stays as it is.
func (a *answer) variant(field int, value string) []byte {
	had, old := a.msg.Has(field), a.msg.Text(field)
	if err := a.msg.SetText(field, value); err != nil {
		panic(err)
	}
	defer func() {
		if !had { // an echo has neither trace number nor amount
			a.msg.Unset(field)
			return
		}
		if err := a.msg.SetText(field, old); err != nil {
			panic(err)
		}
	}()
	return a.frame()
}

// sleep waits; false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
