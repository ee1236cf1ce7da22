package acquirer

import (
	"fmt"

	"posd/emv/tlv"
	"posd/internal/money"
	"posd/netlink/iso8583"
	"posd/sim"
)

// What the trace never shows: track data, PIN block, keys, MAC.
var hidden = map[int]bool{35: true, 36: true, 52: true, 62: true, 64: true}

// Data objects of field 55 that the trace does not show: card number, tracks, name, dates of the card.
var hiddenTags = map[tlv.Tag]bool{0x5A: true, 0x57: true, 0x56: true, 0x9F6B: true, 0x5F20: true, 0x5F24: true, 0x9F1F: true, 0x9F20: true}

var titles = map[string]string{
	"0200": "sale", "0210": "sale answer", "0400": "reversal", "0410": "reversal answer", "0800": "sign-on", "0810": "sign-on answer",
	"0220": "voice sale", "0230": "voice sale answer", "0820": "echo", "0830": "echo answer", "0620": "script notice", "0630": "script notice answer",
}

func summary(m *iso8583.Message) string {
	s := m.MTI() + " " + titles[m.MTI()]
	if m.Has(11) {
		s += " STAN " + m.Text(11)
	}
	if m.Has(4) {
		s += " " + money.Yuan(number(m.Text(4))).String()
	}
	if m.Has(39) {
		s += " code " + m.Text(39)
	}
	return s
}

// details decodes a message for people. Nothing secret is in it.
func details(m *iso8583.Message) []sim.Field {
	var out []sim.Field
	for _, n := range m.Present(nil) {
		f, _ := m.Spec().Field(n)
		value := ""
		switch {
		case hidden[n]:
			value = fmt.Sprintf("(%d, not shown)", len(m.Get(n)))
		case n == 2:
			value = maskPAN(m.Text(2))
		case n == 14:
			value = "****"
		case n == 4:
			value = money.Yuan(number(m.Text(4))).String()
		case f.Class == iso8583.B:
			value = fmt.Sprintf("%X", m.Get(n))
		default:
			value = m.Text(n)
		}
		if n == 55 {
			out = append(out, iccDetails(m.Get(n))...)
			continue
		}
		out = append(out, sim.Field{Name: fmt.Sprintf("F%d %s %s", n, f.Zh, f.Name), Value: value})
	}
	return out
}

func iccDetails(icc []byte) []sim.Field {
	var out []sim.Field
	d := tlv.NewDecoder(icc)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		value := fmt.Sprintf("%X", o.Value)
		if hiddenTags[o.Tag] || o.Tag.Constructed() {
			value = fmt.Sprintf("(%d bytes, not shown)", len(o.Value))
		}
		out = append(out, sim.Field{Name: fmt.Sprintf("F55 %v %s", o.Tag, tlv.Name(o.Tag)), Value: value})
	}
	if err := d.Err(); err != nil {
		out = append(out, sim.Field{Name: "F55", Value: err.Error()})
	}
	return out
}

func (h *Host) traceRequest(r *request) {
	if h.opt.Trace == nil {
		return
	}
	h.opt.Trace.Emit("acquirer", ">", summary(r.msg), details(r.msg)...)
}

func (h *Host) traceAnswer(a *answer) {
	if h.opt.Trace == nil {
		return
	}
	h.opt.Trace.Emit("acquirer", "<", summary(a.msg), details(a.msg)...)
}

func (h *Host) traceFault(name string) {
	h.opt.Trace.Emit("acquirer", "", "fault: "+name)
}

func (h *Host) traceUnreadable(err error) {
	h.opt.Trace.Emit("acquirer", ">", "message that cannot be read", sim.Field{Name: "cause", Value: err.Error()})
}
