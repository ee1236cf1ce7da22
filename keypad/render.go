package keypad

import (
	"fmt"
	"image"
	"image/color"
	"slices"
	"strings"
	"time"

	"posd/internal/money"
)

// render draws the whole display: status bar, screen, hints.
func (c *canvas) render(v view, st Status, l Lang, now time.Time) {
	c.cut, c.textSize, c.amountSize = 0, 0, 0
	b := c.img.Rect
	c.fill(b, ground)
	area := image.Rect(b.Min.X, b.Min.Y+c.status, b.Max.X, b.Max.Y)
	if len(v.Hints) > 0 {
		area.Max.Y -= c.hint
	}
	p := painter{canvas: c, v: &v, lang: l, now: now}
	switch {
	case v.menu:
		p.menu(area)
	case v.QR != "":
		p.qr(area)
	case v.Mood == Good:
		p.good(area)
	case v.Mood == Bad:
		p.bad(area)
	case v.Mood == Doubt:
		p.doubt(area)
	case v.Mood == Notice:
		p.notice(area)
	case v.Mood == Busy:
		p.busy(area)
	default:
		p.plain(area)
	}
	if len(v.Hints) > 0 {
		p.hints(image.Rect(b.Min.X, area.Max.Y, b.Max.X, b.Max.Y))
	}
	p.statusBar(image.Rect(b.Min.X, b.Min.Y, b.Max.X, b.Min.Y+c.status), st)
}

// painter draws one screen.
type painter struct {
	*canvas
	v    *view
	lang Lang
	now  time.Time
}

// maxText is more than any screen can show of one text; words from outside may be longer.
const maxText = 160

func (p *painter) say(t Text) string {
	s := t.In(p.lang)
	n := 0
	for i := range s {
		if n++; n > maxText {
			return s[:i]
		}
	}
	return s
}

// statusBar: link, badges of what wants attention, operator, time.
func (p *painter) statusBar(r image.Rectangle, st Status) {
	p.fill(r, navy)
	in := r.Inset(p.status / 6)
	in.Min.X, in.Max.X = r.Min.X+p.pad*2/3, r.Max.X-p.pad*2/3
	bars := image.Rect(in.Min.X, in.Min.Y+1, in.Min.X+in.Dy(), in.Max.Y-2)
	p.signLink(bars, st.Link)
	x := bars.Max.X + p.gap + p.gap/2
	if name, ok := map[Link]Msg{LinkDown: StatusOffline, LinkBusy: StatusBusy, LinkUp: StatusOnline}[st.Link]; ok {
		s := p.say(T(name))
		col := color.Color(white)
		if st.Link == LinkDown {
			col = color.RGBA{0xff, 0xb3, 0xb3, 0xff}
		}
		x = p.face.line(p.img, image.Pt(x, p.baseline(in, p.small)), s, p.small, medium, col) + p.gap
	}
	badge := func(s string, bg, fg color.Color) {
		w := p.face.width(s, p.small, bold) + 2*p.gap
		b := image.Rect(x, r.Min.Y+p.status/8, x+w, r.Max.Y-p.status/8)
		p.box(b, 4, bg)
		p.text(b, s, p.small, bold, centre, fg)
		x = b.Max.X + p.gap
	}
	if st.Owed > 0 {
		badge(p.say(T(StatusOwed, st.Owed)), amber, ink)
	}
	if st.Paper {
		badge(p.say(T(StatusPaper)), red, white)
	}
	if st.NoKeypad {
		badge(p.say(T(StatusNoKeypad)), red, white)
	}
	if st.Training {
		badge(p.say(T(StatusTraining)), white, navy)
	}
	clock := p.now.Format("15:04")
	w := p.face.width(clock, p.small+1, bold)
	p.text(image.Rect(in.Max.X-w, in.Min.Y, in.Max.X, in.Max.Y), clock, p.small+1, bold, right, white)
	if st.Operator != "" {
		if free := image.Rect(x, in.Min.Y, in.Max.X-w-2*p.gap, in.Max.Y); free.Dx() > 3*p.small {
			p.text(free, p.say(T(StatusOperator, st.Operator)), p.small, medium, right, color.RGBA{0xc9, 0xd6, 0xe2, 0xff})
		}
	}
}

// hints: a cap in the colour of the key, with its name, and what it does.
func (p *painter) hints(r image.Rectangle) {
	p.fill(r, white)
	p.fill(image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+1), rule)
	type item struct {
		key        Key
		name, does string
		w          int
	}
	var items []item
	size := p.small
	layout := func(words bool) (total int) {
		items = items[:0]
		for _, h := range ordered(p.v.Hints) {
			it := item{key: h.Key, name: p.keyName(h.Key), does: p.say(h.Text)}
			if it.does == it.name || !words {
				it.does = ""
			}
			it.w = max(p.face.width(it.name, size, bold)+2*p.gap, r.Dy()*3/4)
			if it.does != "" {
				it.w += p.gap*3/4 + p.face.width(it.does, size, medium)
			}
			items = append(items, it)
			total += it.w
		}
		return total
	}
	room := r.Dx() - 2*p.pad*2/3
	total := layout(true)
	for size > cell && total+(len(items)-1)*p.gap > room {
		size--
		total = layout(true)
	}
	if total+(len(items)-1)*p.gap > room {
		total = layout(false)
	}
	// Two or three hints spread over the line; they do not stick together at its left.
	space := 0
	if len(items) > 1 {
		space = min((room-total)/(len(items)-1), p.pad*3)
	}
	used := total + space*(len(items)-1)
	x := r.Min.X + (r.Dx()-used)/2
	for i, it := range items {
		capW := max(p.face.width(it.name, size, bold)+2*p.gap, r.Dy()*3/4)
		b := image.Rect(x, r.Min.Y+r.Dy()/7+1, x+capW, r.Max.Y-r.Dy()/7)
		bg, fg := capColours(it.key)
		p.box(b, 5, bg)
		if it.key == KeyUp || it.key == KeyDown {
			p.arrow(b, it.key == KeyUp, fg)
		} else {
			p.text(b, it.name, size, bold, centre, fg)
		}
		if it.does != "" {
			p.text(image.Rect(b.Max.X+p.gap*3/4, r.Min.Y, x+it.w+2, r.Max.Y), it.does, size, medium, left, ink)
		}
		x += it.w
		if it.key == KeyUp && i+1 < len(items) && items[i+1].key == KeyDown {
			x += p.gap / 2 // the pair of arrows
			continue
		}
		x += space
	}
}

// ordered puts Cancel, Clear and Enter last and always in that order, red, yellow, green as on every keypad of the trade: a cashier
// looks for a place before reading a word.
func ordered(hints []Hint) []Hint {
	rank := func(h Hint) int { return slices.Index([]Key{KeyCancel, KeyClear, KeyEnter}, h.Key) }
	return slices.SortedStableFunc(slices.Values(hints), func(a, b Hint) int { return rank(a) - rank(b) })
}

func (p *painter) arrow(b image.Rectangle, up bool, col color.Color) {
	x, y, n := float64(b.Min.X+b.Max.X)/2, float64(b.Min.Y+b.Max.Y)/2, float64(b.Dy())*0.26
	if up {
		p.shape(col, []pt{{x - n, y + n*0.7}, {x, y - n*0.8}, {x + n, y + n*0.7}})
	} else {
		p.shape(col, []pt{{x - n, y - n*0.7}, {x + n, y - n*0.7}, {x, y + n*0.8}})
	}
}

func capColours(k Key) (bg, fg color.Color) {
	switch k {
	case KeyEnter:
		return keyGo, white
	case KeyClear:
		return keyFix, ink
	case KeyCancel:
		return keyOff, white
	}
	return keyAny, white
}

func (p *painter) keyName(k Key) string {
	switch k {
	case KeyEnter:
		return p.say(T(KeyNameEnter))
	case KeyClear:
		return p.say(T(KeyNameClear))
	case KeyCancel:
		return p.say(T(KeyNameCancel))
	case KeyMenu:
		return p.say(T(KeyNameMenu))
	case KeyUp, KeyDown:
		return ""
	case KeyF1, KeyF2, KeyF3, KeyF4:
		return fmt.Sprintf("F%d", k-KeyF1+1)
	}
	return string(rune(k))
}

// amount draws a sum, as large as the box allows up to size, its sign smaller than its digits.
func (p *painter) amount(r image.Rectangle, a money.Amount, size int, al align, col color.Color) {
	s := a.String()
	sym := a.Currency.Symbol()
	neg, digits := "", s
	if strings.HasPrefix(s, "-") {
		neg, digits = "-", s[1:]
	}
	digits = strings.TrimPrefix(digits, sym)
	sym = neg + sym
	size = min(size, r.Dy()*5/4)
	var small, w1, w2, sp int
	for ; size > cell; size-- {
		small, sp = size*6/10, size/12
		w1, w2 = p.face.width(sym, small, bold), p.face.width(digits, size, bold)
		if w1+sp+w2 <= r.Dx() {
			break
		}
	}
	x := r.Min.X
	switch al {
	case centre:
		x += (r.Dx() - w1 - sp - w2) / 2
	case right:
		x = r.Max.X - w1 - sp - w2
	case left:
	}
	p.amountSize = max(p.amountSize, size)
	y := (r.Min.Y+r.Max.Y)/2 + int(0.35*float64(size))
	p.face.line(p.img, image.Pt(x, y), sym, small, bold, col)
	p.face.line(p.img, image.Pt(x+w1+sp, y), digits, size, bold, col)
}

// countdown is the time left, or "" when there is none.
func (p *painter) countdown() string {
	if p.v.Until.IsZero() {
		return ""
	}
	left := p.v.Until.Sub(p.now)
	s := max(int((left+time.Second-1)/time.Second), 0)
	if s >= 100 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d s", s)
}

// clock draws the countdown as a pill whose right top corner is at (x, y), and returns its width.
func (p *painter) clock(x, y int) int {
	s := p.countdown()
	if s == "" {
		return 0
	}
	w := max(p.face.width(s, p.body, bold)+3*p.gap, p.body*3)
	b := image.Rect(x-w, y, x, y+lead(p.body)+2)
	p.box(b, float64(b.Dy())/2, navy)
	p.text(b, s, p.body, bold, centre, white)
	return w + p.gap
}

// code is the error code, small, in the right bottom corner.
func (p *painter) code(r image.Rectangle, col color.Color) {
	if p.v.Code != "" {
		h := lead(p.small)
		p.text(image.Rect(r.Min.X, r.Max.Y-h, r.Max.X, r.Max.Y), p.v.Code, p.small, bold, right, col)
	}
}

// lines joins the body's texts, one to a line.
func (p *painter) lines() string {
	var s []string
	for _, t := range p.v.Body {
		if w := p.say(t); w != "" {
			s = append(s, w)
		}
	}
	return strings.Join(s, "\n")
}

// rows draws label and value of each row between hairlines, as large as the height allows.
func (p *painter) rows(r image.Rectangle, fg, label, line color.Color) {
	n := len(p.v.Rows)
	if n == 0 {
		return
	}
	h := min(r.Dy()/n, lead(p.body)*5/4)
	y := r.Min.Y
	for i, row := range p.v.Rows {
		b := image.Rect(r.Min.X, y, r.Max.X, y+h)
		if i > 0 {
			p.fill(image.Rect(b.Min.X, b.Min.Y, b.Max.X, b.Min.Y+1), line)
		}
		size, w := min(p.body-2, h*10/13), medium
		if row.Strong {
			size, w = min(p.body+3, h*10/12), bold
		}
		v := p.say(row.Value)
		vw := min(p.face.width(v, size, bold), r.Dx()*2/3)
		p.text(image.Rect(b.Max.X-vw, b.Min.Y, b.Max.X, b.Max.Y), v, size, bold, right, fg)
		p.text(image.Rect(b.Min.X, b.Min.Y, b.Max.X-vw-p.gap, b.Max.Y), p.say(row.Label), size, w, left, label)
		y += h
	}
}

// stars draws PIN digits as discs in boxes: at least six places, for that is the length of a PIN here.
func (p *painter) stars(r image.Rectangle, n int, al align) {
	places := min(max(n, 6), 12)
	w := min((r.Dx()-(places-1)*p.gap)/places, r.Dy(), p.body*2)
	x := r.Min.X
	if al == centre {
		x += (r.Dx() - places*w - (places-1)*p.gap) / 2
	}
	y := r.Min.Y + (r.Dy()-w)/2
	for i := range places {
		b := image.Rect(x, y, x+w, y+w)
		border := color.Color(rule)
		if i == n {
			border = blue
		}
		p.outlineBox(b, 6, white, border, 2)
		if i < n {
			p.shape(ink, circle(float64(x)+float64(w)/2, float64(y)+float64(w)/2, float64(w)*0.22))
		}
		x += w + p.gap
	}
}
