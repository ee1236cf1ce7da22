package pinpad

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"posd/sim"
	"posd/vault"
)

type entryKind uint8

const (
	entryPIN entryKind = iota
	entryKey
	entryString
)

// entry is the pad waiting for keys.
type entry struct {
	kind     entryKind
	typed    []byte
	until    time.Time
	pan      string
	key      []byte
	min, max int
	null     bool          // Enter without digits is an answer
	done     string        // shown after Enter
	echo     byte          // of Z50: 0 stars, 1 plain, 2 none
	perKey   time.Duration // of Z50
	digits   bool          // of Z42: digits may be given out
}

// defaultPINTime is the documented time for a PIN when the request names none.
const defaultPINTime = 270 * time.Second

// throttled takes a token for a PIN entry; true is a refusal. The VF refusal happens before the packet is taken, which on the
// line is EOT instead of ACK; a UIC pad answers code 7.
func (p *Pad) throttled() bool {
	return p.o.Dialect == VF && !p.token()
}

func (p *Pad) token() bool {
	if p.faults[FaultThrottled] {
		return false
	}
	r := p.o.RateLimit
	if r == nil {
		return true
	}
	for now := time.Now(); p.tokens < r.Max && now.Sub(p.tokenAt) >= r.Every; {
		p.tokens++
		p.tokenAt = p.tokenAt.Add(r.Every)
	}
	if p.tokens == r.Max {
		p.tokenAt = time.Now()
	}
	if p.tokens == 0 {
		return false
	}
	p.tokens--
	return true
}

// codes71 are the error codes of answer 71 by dialect.
var codes71 = [2]map[string]byte{
	VF: {
		"pan-empty": '2', "pan-short": '2', "pan-long": '2', "pan-digits": '2', "format": '2', "key-format": '2', "missing": '1',
		"purpose": '6', "length": '7', "time": '2', "amount": '2', "prompt": '2', "throttled": '2',
	},
	UIC: {
		"pan-empty": '0', "pan-short": '2', "pan-long": '3', "pan-digits": '4', "format": 'E', "key-format": '5', "missing": '9',
		"purpose": 'A', "length": '1', "time": '6', "amount": '8', "prompt": '8', "throttled": '7',
	},
}

func (p *Pad) refusePIN(why string) {
	c := codes71[p.o.Dialect][why]
	p.idle()
	p.answer(false, "71"+string(rune(c)), "71 refused with code "+string(rune(c)), nil)
}

// pinFields checks what all requests share: "." PAN FS key and the rest. It traces the request and answers what is wrong.
func (p *Pad) pinFields(name, data string) (e *entry, rest string, ok bool) {
	dot := strings.HasPrefix(data, ".")
	pan, after, cut := strings.Cut(strings.TrimPrefix(data, "."), string(rune(fs)))
	p.trace(">", name+" PIN entry", sim.Field{Name: "card number", Value: mask(pan)})
	why := ""
	switch {
	case p.o.Dialect == UIC && !p.token():
		why = "throttled"
	case !dot || !cut:
		why = "format"
	case pan == "":
		why = "pan-empty"
	case strings.Trim(pan, "0123456789") != "":
		why = "pan-digits"
	case len(pan) < 8:
		why = "pan-short"
	case len(pan) > 19:
		why = "pan-long"
	}
	if why != "" {
		p.refusePIN(why)
		return nil, "", false
	}
	// The key ends where hexadecimal of 16 characters does not go on for 16 more: a length or an amount follows without a separator.
	n := 16
	if len(after) >= 32 && strings.Trim(after[:32], "0123456789ABCDEF") == "" {
		n = 32
	}
	if len(after) < n {
		p.refusePIN("key-format")
		return nil, "", false
	}
	key, problem := p.pinKey(after[:n])
	if problem != keyOK {
		p.refusePIN(map[keyProblem]string{
			keyMissing: "missing", keyPurpose: "purpose", keyFormat: "key-format", keyTooLong: "length", keySingleDES: "length",
		}[problem])
		return nil, "", false
	}
	return &entry{kind: entryPIN, pan: pan, key: key, min: vault.MinPIN, max: vault.MaxPIN, done: "PROCESSING"}, after[n:], true
}

// timeField reads [FS t]: t times 30 seconds.
func (p *Pad) timeField(e *entry, rest string) bool {
	d := defaultPINTime
	if rest != "" {
		if len(rest) != 2 || rest[0] != fs || rest[1] < '1' || rest[1] > '9' {
			p.refusePIN("time")
			return false
		}
		d = time.Duration(rest[1]-'0') * 30 * time.Second
	}
	e.until = time.Now().Add(d)
	return true
}

func (p *Pad) begin(e *entry) {
	p.entry = e
	p.trace("", "waiting for the cardholder")
}

func (p *Pad) enterZ60(data string) {
	prompt := p.display
	e, rest, ok := p.pinFields("Z60", data)
	if !ok || !p.timeField(e, rest) {
		return
	}
	p.promptOr(prompt)
	p.begin(e)
}

// promptOr leaves the prompt that was shown before, or shows the pad's own: VF pads do not insist on one.
func (p *Pad) promptOr(d display) {
	if d.mode != showFree && d.mode != showRS {
		d = display{showRS, []string{fixedPrompts[0].show(p.o.Chinese)}}
	}
	p.display = d
}

// lengths reads min(2) max(2) null(Y/N).
func (e *entry) lengths(s string) bool {
	a, err1 := strconv.ParseUint(s[:2], 10, 8)
	b, err2 := strconv.ParseUint(s[2:4], 10, 8)
	e.min, e.max, e.null = int(a), int(b), s[4] == 'Y'
	if err1 != nil || err2 != nil || s[4] != 'Y' && s[4] != 'N' {
		return false
	}
	if e.min == 0 && e.max == 0 && e.null {
		return true // only Enter
	}
	return e.min >= vault.MinPIN && e.min <= e.max && e.max <= vault.MaxPIN
}

func (p *Pad) enterZ63(data string) {
	prompt := p.display
	e, rest, ok := p.pinFields("Z63", data)
	if !ok {
		return
	}
	if len(rest) != 6 || !e.lengths(rest) {
		p.refusePIN("format")
		return
	}
	e.until = time.Now().Add(defaultPINTime)
	p.promptOr(prompt)
	p.begin(e)
}

// enterZ62: lengths, p1 FS [p2] FS [processing text] FS [t]; the texts must stand in the fixed table.
func (p *Pad) enterZ62(data string) {
	e, rest, ok := p.pinFields("Z62", data)
	if !ok {
		return
	}
	if len(rest) < 6 || !e.lengths(rest) {
		p.refusePIN("amount")
		return
	}
	f := strings.Split(rest[5:], string(rune(fs)))
	if len(f) > 4 {
		p.refusePIN("prompt")
		return
	}
	t := ""
	if len(f) == 4 && f[3] != "" {
		t, f = string(rune(fs))+f[3], f[:3]
	}
	if !p.timeField(e, t) {
		return
	}
	p.display = display{mode: showRS}
	for i, text := range f {
		pr, ok := promptByText(text)
		switch {
		case text == "" && i > 0:
			continue
		case !ok:
			p.trace("<", "EOT: a prompt that is not in the table")
			p.idle()
			p.send(p.answerPause(), eot)
			return
		case i == 2:
			e.done = text
		default: // the two take turns on a real display
			p.display.text = append(p.display.text, pr.show(p.o.Chinese))
		}
	}
	p.begin(e)
}

// enter70: amount of 4 to 8 characters [FS t].
func (p *Pad) enter70(data string) {
	e, rest, ok := p.pinFields("70", data)
	if !ok {
		return
	}
	amount, t, has := strings.Cut(rest, string(rune(fs)))
	if has {
		t = string(rune(fs)) + t
	}
	if len(amount) < 4 || len(amount) > 8 || strings.Trim(amount, "0123456789.") != "" {
		p.refusePIN("amount")
		return
	}
	if !p.timeField(e, t) {
		return
	}
	p.display = display{showRS, []string{p.own("amount") + amount, fixedPrompts[0].show(p.o.Chinese)}}
	p.begin(e)
}

// readKey is Z42: one key within some seconds.
func (p *Pad) readKey(data string) {
	p.trace(">", "Z42 read a key")
	n, err := strconv.ParseUint(data, 10, 8)
	if err != nil || n == 0 {
		p.send(p.answerPause(), eot)
		return
	}
	p.begin(&entry{kind: entryKey, until: time.Now().Add(time.Duration(n) * time.Second), digits: p.display.mode == showGS})
}

// readString is Z50: echo(1) seconds a key(3) [max(1-2)].
func (p *Pad) readString(data string) {
	p.trace(">", "Z50 read a string")
	most := uint64(49)
	ok := len(data) >= 4 && len(data) <= 6 && data[0] >= '0' && data[0] <= '2'
	var sec uint64
	if ok {
		var err, err2 error
		sec, err = strconv.ParseUint(data[1:4], 10, 8)
		if len(data) > 4 {
			most, err2 = strconv.ParseUint(data[4:], 10, 8)
		}
		ok = err == nil && err2 == nil && sec > 0 && most <= 49
	}
	if !ok {
		p.send(p.answerPause(), eot)
		return
	}
	e := &entry{kind: entryString, max: int(most), echo: data[0], perKey: time.Duration(sec) * time.Second}
	e.until = time.Now().Add(e.perKey)
	p.begin(e)
}

// Press is a key of the pad's keypad: '0' to '9' or one of the Key constants. It tells whether the pad took it; while nothing is
// being entered it takes none, except KeyCancel, which clears a prompt.
func (p *Pad) Press(key rune) (taken bool) {
	p.poke(func() {
		if p.faults[FaultDead] {
			return
		}
		e := p.entry
		switch {
		case e == nil:
			if key == KeyCancel && p.pending == nil && p.display.mode != showIdle {
				p.idle()
				taken = true
			}
		case e.kind == entryPIN:
			taken = p.pinPress(e, key)
		case e.kind == entryKey:
			taken = p.keyPress(e, key)
		default:
			taken = p.stringPress(e, key)
		}
	})
	return taken
}

func digit(key rune) bool { return key >= '0' && key <= '9' }

func (p *Pad) pinPress(e *entry, key rune) bool {
	switch {
	case digit(key) && len(e.typed) < e.max:
		e.typed = append(e.typed, byte(key))
		p.progress('*')
	case digit(key):
		p.trace("", "beep: too many digits")
	case key == KeyClear:
		clear(e.typed)
		e.typed = e.typed[:0]
		p.progress(KeyClear)
	case key == KeyCancel:
		p.endEntry("cancelled by the cardholder")
		p.send(0, eot)
	case key == KeyEnter && len(e.typed) == 0 && e.null:
		p.endEntry("Enter without digits")
		p.answer(false, "71.00001", "71 no PIN", nil)
	case key == KeyEnter && len(e.typed) < max(e.min, vault.MinPIN):
		p.trace("", "beep: too few digits")
	case key == KeyEnter:
		p.pinDone(e)
	default:
		return false
	}
	return true
}

// progress is the extension of Options.Progress.
func (p *Pad) progress(b byte) {
	if p.o.Progress {
		p.send(0, b)
	}
}

func (p *Pad) pinDone(e *entry) {
	block, err := vault.EncodePIN0(string(e.typed), e.pan)
	var epb []byte
	if err == nil {
		epb, err = vault.EncryptECB(e.key, block[:])
	}
	n := len(e.typed)
	done, _ := promptByText(e.done)
	clear(block[:])
	p.endEntry("entered")
	if err != nil {
		p.refusePIN("format")
		return
	}
	p.display = display{showBusy, []string{done.show(p.o.Chinese)}}
	p.answer(false, fmt.Sprintf("71.0%02d01%X", n, epb), "71 PIN", nil)
}

// endEntry wipes what was typed.
func (p *Pad) endEntry(why string) {
	clear(p.entry.typed[:cap(p.entry.typed)])
	clear(p.entry.key)
	p.entry = nil
	p.idle()
	p.trace("", why)
}

func (p *Pad) keyPress(e *entry, key rune) bool {
	name, ok := map[rune]byte{KeyEnter: '#', KeyCancel: '*', KeyClear: '/', KeyF1: 'A', KeyF2: 'B', KeyF3: 'C'}[key]
	if digit(key) && e.digits {
		name, ok = byte(key), true
	}
	if !ok {
		return digit(key) // swallowed: under a free text no digit leaves the pad
	}
	p.endEntry("key pressed")
	p.answer(false, "Z43"+string(rune(name)), "Z43 key", nil)
	return true
}

func (p *Pad) stringPress(e *entry, key rune) bool {
	e.until = time.Now().Add(e.perKey)
	switch {
	case digit(key):
		if len(e.typed) < e.max {
			e.typed = append(e.typed, byte(key))
		}
	case key == KeyClear:
		e.typed = e.typed[:0]
	case key == KeyCancel:
		p.endEntry("cancelled by the cardholder")
		p.send(0, eot)
	case key == KeyEnter:
		text := string(e.typed)
		p.endEntry("entered")
		p.answer(false, "Z51"+text, "Z51 string", nil)
	default:
		return false
	}
	return true
}

func (p *Pad) timeUp() {
	k := p.entry.kind
	p.endEntry("time is up")
	if k == entryKey {
		p.answer(false, "Z43?", "Z43 time is up", nil)
		return
	}
	p.send(0, eot)
}

// mask leaves the first six and last four digits of a card number.
func mask(pan string) string {
	if len(pan) < 13 || strings.Trim(pan, "0123456789") != "" {
		return strings.Repeat("*", min(len(pan), 20))
	}
	return pan[:6] + strings.Repeat("*", len(pan)-10) + pan[len(pan)-4:]
}
