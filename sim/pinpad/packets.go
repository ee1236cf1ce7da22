package pinpad

import (
	"strconv"
	"strings"

	"posd/sim"
)

// packets in the order in which their ids are tried: Z60 before Z6, 70 after 72.
var packets []packet

type packet struct {
	admin  bool
	id     string
	refuse func(p *Pad) bool // answered by EOT instead of ACK
	do     func(p *Pad, data string)
}

func init() { // the handlers lead back to the table
	packets = []packet{
		{true, "02", func(p *Pad) bool { return !p.injecting }, (*Pad).load},
		{true, "04", nil, (*Pad).isLoaded},
		{true, "06", nil, func(p *Pad, _ string) {
			p.trace(">", "06 serial number")
			p.answer(true, "06"+p.o.Serial, "06 serial number", nil)
		}},
		{true, "08", nil, (*Pad).selectKey},
		{true, "11", nil, func(p *Pad, _ string) { p.trace(">", "11 connection test") }},
		{false, "72", nil, func(p *Pad, _ string) { p.trace(">", "72 cancel"); p.idle() }},
		{false, "70", (*Pad).throttled, (*Pad).enter70},
		{false, "Z1", nil, func(p *Pad, _ string) { p.trace(">", "Z1 idle"); p.idle() }},
		{false, "Z2", nil, (*Pad).prompt},
		{false, "Z42", func(p *Pad) bool { return p.display.mode == showIdle }, (*Pad).readKey},
		{false, "Z50", func(p *Pad) bool { return p.display.mode != showGS }, (*Pad).readString},
		{false, "Z60", func(p *Pad) bool { return p.throttled() || p.o.Dialect == UIC && p.display.mode != showRS }, (*Pad).enterZ60},
		{false, "Z62", (*Pad).throttled, (*Pad).enterZ62},
		{false, "Z63", func(p *Pad) bool { return p.o.Dialect == UIC || p.throttled() }, (*Pad).enterZ63},
		{false, "Z66", nil, (*Pad).macPacket},
	}
}

func (p *Pad) isLoaded(data string) {
	p.trace(">", "04 is a key in slot "+data)
	status, text := "0", "04 empty"
	if len(data) == 1 && p.slots[data[0]].key != nil {
		status, text = "F", "04 there"
	}
	p.answer(true, "04"+status, text, nil)
}

func (p *Pad) selectKey(data string) {
	p.trace(">", "08 select slot "+data)
	ok := len(data) == 1 && data[0] >= '0' && data[0] <= '9'
	if ok {
		p.active = data[0] // an empty slot as well
	}
	switch {
	case p.o.Dialect == VF:
		p.send(p.answerPause(), eot)
	case ok:
		p.answer(true, "080", "08 selected", nil)
	default:
		p.answer(true, "081", "08 no such slot", nil)
	}
}

// What the display shows decides what may follow.
const (
	showIdle = iota
	showFree // text of the terminal: function keys only
	showGS   // fixed prompt for data: digits in clear are allowed
	showRS   // fixed prompt for a PIN
	showBusy // "processing"
)

type display struct {
	mode int
	text []string
}

func (p *Pad) idle() {
	p.display = display{showIdle, []string{p.own("idle")}}
	if p.tampered {
		p.display.text = []string{p.own("tampered")}
	}
}

// prompt is Z2: fixed prompts by id (UIC), or free text.
func (p *Pad) prompt(data string) {
	if p.o.Dialect == UIC && data != "" && (data[0] == gs || data[0] == rs) {
		mode := showGS
		if data[0] == rs {
			mode = showRS
		}
		id := strings.TrimSuffix(data[1:], string(rune(sub)))
		p.trace(">", "Z2 fixed prompt "+strconv.QuoteToASCII(id))
		pr, ok := promptByID(id, mode == showRS)
		if !ok {
			p.idle()
			p.answer(false, "Z21", "Z2 no such prompt", nil)
			return
		}
		p.display = display{mode, []string{pr.show(p.o.Chinese)}}
		p.answer(false, "Z20", "Z2 shown", nil)
		return
	}
	text, clr := strings.CutPrefix(data, string(rune(sub)))
	text = ascii(text)
	p.trace(">", "Z2 text", sim.Field{Name: "text", Value: text})
	if clr || p.display.mode != showFree {
		p.display = display{mode: showFree}
	}
	p.display.text = append(p.display.text, text)
}

// ascii keeps 64 printable characters.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s[:min(len(s), 64)])
}

// columns of the display.
const columns = 20

func (p *Pad) lines() []string {
	var out []string
	add := func(s string) {
		for r := []rune(s); len(r) > 0; {
			n := min(len(r), columns)
			if n < len(r) {
				if i := strings.LastIndex(string(r[:n+1]), " "); i > 0 && r[0] < 0x80 {
					n = i
				}
			}
			out = append(out, strings.TrimSpace(string(r[:n])))
			r = []rune(strings.TrimLeft(string(r[n:]), " "))
		}
	}
	for _, t := range p.display.text {
		add(t)
	}
	if e := p.entry; e != nil {
		switch {
		case e.kind == entryPIN || e.kind == entryString && e.echo == '0':
			out = append(out, strings.Repeat("*", len(e.typed)))
		case e.kind == entryString && e.echo == '1':
			out = append(out, string(e.typed))
		}
	}
	return out
}

// fixedPrompt is an entry of the pad's own table, version 1. Ids are stable; Z62 names a prompt by its English text.
type fixedPrompt struct {
	id     string
	pin    bool
	en, zh string
}

var fixedPrompts = []fixedPrompt{
	{"001", true, "ENTER PIN", "请输入密码"},
	{"002", true, "THEN PRESS ENTER", "输完按确认键"},
	{"003", true, "PROCESSING", "处理中"},
	{"004", true, "WRONG PIN AGAIN", "密码错误 请重输"},
	{"101", false, "ENTER CARD NUMBER", "请输入卡号"},
	{"102", false, "ENTER EXPIRY MMYY", "请输入有效期"},
	{"103", false, "ENTER AMOUNT", "请输入金额"},
}

func (f fixedPrompt) show(zh bool) string {
	if zh {
		return f.zh
	}
	return f.en
}

func promptByID(id string, pin bool) (fixedPrompt, bool) {
	for _, f := range fixedPrompts {
		if f.id == id && f.pin == pin {
			return f, true
		}
	}
	return fixedPrompt{}, false
}

func promptByText(text string) (fixedPrompt, bool) {
	for _, f := range fixedPrompts {
		if f.pin && f.en == text {
			return f, true
		}
	}
	return fixedPrompt{}, false
}

func (p *Pad) own(what string) string {
	t := map[string][2]string{
		"idle":     {"WELCOME", "欢迎使用"},
		"tampered": {"OUT OF ORDER", "设备已锁定"},
		"amount":   {"AMOUNT ", "金额 "},
	}[what]
	if p.o.Chinese {
		return t[1]
	}
	return t[0]
}
