package keypad

import (
	"image"
	"image/color"

	"rsc.io/qr"
)

// plain is a prompt: title; amount or what is typed; what to do, with its pictogram; rows.
func (p *painter) plain(r image.Rectangle) {
	v := p.v
	in := image.Rect(r.Min.X+p.pad, r.Min.Y+p.gap, r.Max.X-p.pad, r.Max.Y-p.gap)
	icon := v.icon()
	cw := p.clock(in.Max.X, in.Min.Y+p.gap/2)
	if icon != IconNone {
		p.prompt(in, icon, cw)
		return
	}
	title := lead(p.title) + p.gap/2
	field := v.Amount != nil || v.typing || v.Entry != ""
	if len(v.Rows) > 0 && v.Amount != nil {
		title = p.titleAmount(in) + p.gap/2
	} else if len(v.Rows) > 0 || v.ShowStar || field {
		p.text(image.Rect(in.Min.X, in.Min.Y, in.Max.X-cw, in.Min.Y+title), p.say(v.Title), p.title, bold, left, ink)
	}
	in.Min.Y += title
	note := p.say(v.Alert)
	body := p.lines()
	switch {
	case len(v.Rows) > 0:
		if body != "" {
			in.Min.Y += p.paragraph(image.Rect(in.Min.X, in.Min.Y, in.Max.X, in.Max.Y), body, p.body, medium, left, dim) + p.gap/2
		}
		p.rows(in, ink, dim, rule)
	default:
		foot := lead(p.body) + p.gap
		if n := len(p.wrap(body, p.body, medium, in.Dx())); n > 1 {
			foot = n*lead(p.body) + p.gap
		}
		main := image.Rect(in.Min.X, in.Min.Y+p.gap/2, in.Max.X, in.Max.Y-foot)
		switch {
		case v.ShowStar:
			p.stars(main, v.Stars, centre)
		case field:
			p.outlineBox(main, 10, white, rule, 2)
			inner := main.Inset(p.pad * 2 / 3)
			if v.Amount != nil {
				p.amount(inner, *v.Amount, p.sizes.amount, right, ink)
			} else {
				p.text(inner, v.Entry, p.sizes.amount*2/3, bold, centre, ink)
			}
		default:
			in.Min.Y -= title
			p.alone(in, body)
			return
		}
		under := image.Rect(in.Min.X, in.Max.Y-foot+p.gap/2, in.Max.X, in.Max.Y)
		if note != "" {
			p.box(under, 6, red)
			p.text(under.Inset(2), note, p.body, bold, centre, white)
		} else {
			p.paragraph(under, body, p.body, medium, centre, dim)
		}
	}
	p.code(in, dim)
}

// alone is a screen of nothing but words, the idle screen above all: they get the middle.
func (p *painter) alone(r image.Rectangle, body string) {
	title := p.say(p.v.Title)
	ts := p.heading
	tl := p.wrap(title, ts, bold, r.Dx())
	for ts > p.title && len(tl) > 1 {
		ts--
		tl = p.wrap(title, ts, bold, r.Dx())
	}
	bl := p.wrap(body, p.body, medium, r.Dx())
	h := len(tl)*lead(ts) + p.gap*5/2 + len(bl)*lead(p.body)
	y := r.Min.Y + max((r.Dy()-h)/2, 0)
	y += p.paragraph(image.Rect(r.Min.X, y, r.Max.X, r.Max.Y), title, ts, bold, centre, ink) + p.gap
	p.fill(image.Rect((r.Min.X+r.Max.X)/2-p.pad, y, (r.Min.X+r.Max.X)/2+p.pad, y+3), blue)
	p.paragraph(image.Rect(r.Min.X, y+p.gap*3/2, r.Max.X, r.Max.Y), body, p.body, medium, centre, dim)
	p.code(r, dim)
}

// prompt is what is done with hands: the amount on top, below it the pictogram and what to do.
func (p *painter) prompt(in image.Rectangle, icon Icon, cw int) {
	v := p.v
	if v.Amount != nil {
		h := in.Dy() * 9 / 25
		p.amount(image.Rect(in.Min.X, in.Min.Y, in.Max.X-cw, in.Min.Y+h), *v.Amount, min(p.sizes.amount, h), left, ink)
		in.Min.Y += h + p.gap/2
		p.fill(image.Rect(in.Min.X, in.Min.Y, in.Max.X, in.Min.Y+2), rule)
		in.Min.Y += p.gap
		cw = 0
	}
	side := min(in.Dy()-p.gap, in.Dx()*3/10)
	if v.ShowStar {
		side = min(side, in.Dx()/5)
	}
	y := in.Min.Y + (in.Dy()-side)/2
	p.icon(icon, image.Rect(in.Min.X, y, in.Min.X+side, y+side), blue, ground)
	text := image.Rect(in.Min.X+side+p.pad, in.Min.Y, in.Max.X-cw, in.Max.Y)
	p.words(text, bold, ink, dim)
}

// words sets title, stars, body and rows one below the other, in the middle of the height.
func (p *painter) words(r image.Rectangle, w weight, fg, soft color.Color) {
	v := p.v
	title, body := p.say(v.Title), p.lines()
	ts := p.heading * 9 / 10
	tl := p.wrap(title, ts, w, r.Dx())
	for ts > p.title-2 && len(tl) > 1 {
		ts--
		tl = p.wrap(title, ts, w, r.Dx())
	}
	th := len(tl) * lead(ts)
	bh := len(p.wrap(body, p.body, medium, r.Dx())) * lead(p.body)
	sh := 0
	if v.ShowStar {
		sh = p.body*2 + p.gap
	}
	rh := len(v.Rows) * lead(p.body) * 11 / 10
	h := th + bh + sh + rh
	if bh > 0 {
		h += p.gap / 2
	}
	y := r.Min.Y + max((r.Dy()-h)/2, 0)
	y += p.paragraph(image.Rect(r.Min.X, y, r.Max.X, r.Max.Y), title, ts, w, left, fg)
	if v.ShowStar {
		p.stars(image.Rect(r.Min.X, y+p.gap/2, r.Max.X, y+sh-p.gap/2), v.Stars, left)
		y += sh
	}
	if bh > 0 {
		y += p.gap/2 + p.paragraph(image.Rect(r.Min.X, y+p.gap/2, r.Max.X, r.Max.Y), body, p.body, medium, left, soft)
	}
	p.rows(image.Rect(r.Min.X, y, r.Max.X, r.Max.Y), fg, soft, rule)
	p.code(r, soft)
}

// busy: three discs and what is going on. Nothing here is asked of anybody.
func (p *painter) busy(r image.Rectangle) {
	v := p.v
	in := image.Rect(r.Min.X+p.pad, r.Min.Y+p.gap, r.Max.X-p.pad, r.Max.Y-p.gap)
	cw := p.clock(in.Max.X, in.Min.Y+p.gap/2)
	if icon := v.icon(); icon != IconNone {
		p.prompt(in, icon, cw)
		return
	}
	if v.Amount != nil {
		h := in.Dy() * 9 / 25
		p.amount(image.Rect(in.Min.X, in.Min.Y, in.Max.X-cw, in.Min.Y+h), *v.Amount, min(p.sizes.amount, h), centre, ink)
		in.Min.Y += h
	}
	body := p.lines()
	bl := p.wrap(body, p.body, medium, in.Dx())
	disc := p.title * 3 / 2
	h := disc + lead(p.title) + len(bl)*lead(p.body) + p.gap
	y := in.Min.Y + max((in.Dy()-h)/2, 0)
	p.signBusy(float64(in.Min.X+in.Max.X)/2, float64(y)+float64(disc)/2, float64(disc), blue)
	y += disc + p.gap/2
	p.text(image.Rect(in.Min.X, y, in.Max.X, y+lead(p.title)), p.say(v.Title), p.title, bold, centre, ink)
	y += lead(p.title) + p.gap/2
	p.paragraph(image.Rect(in.Min.X, y, in.Max.X, in.Max.Y), body, p.body, medium, centre, dim)
	p.code(in, dim)
}

// good fills the display with green; tick and words in white, centred.
func (p *painter) good(r image.Rectangle) {
	p.fill(r, green)
	p.centred(r.Inset(p.gap), white, mint, color.RGBA{0x3c, 0x8c, 0x68, 0xff}, func(x, y, s float64) { p.signGood(x, y, s, white, green) })
}

// bad leaves it white within a thick red frame; stop sign and words in red, centred.
func (p *painter) bad(r image.Rectangle) {
	p.fill(r, red)
	p.box(r.Inset(p.frame), 6, white)
	p.centred(r.Inset(p.frame+p.gap/2), red, ink, rule, func(x, y, s float64) { p.signBad(x, y, s, red, white) })
}

// centred is sign and title side by side in the middle, the amount below, then the rest.
func (p *painter) centred(r image.Rectangle, head, fg, line color.Color, sign func(x, y, s float64)) {
	v := p.v
	in := image.Rect(r.Min.X+p.gap, r.Min.Y, r.Max.X-p.gap, r.Max.Y)
	body := p.lines()
	title, ts := p.fit(p.say(v.Title), p.heading, p.body, bold, in.Dx()*3/4)
	rad := p.heading * 3 / 4
	hh := rad*2 + p.gap
	ah := 0
	if v.Amount != nil {
		ah = p.sizes.amount
	}
	bh := len(p.wrap(body, p.body, medium, in.Dx())) * lead(p.body)
	rh := len(v.Rows) * lead(p.body) * 11 / 10
	rest := in.Dy() - hh - bh - rh
	if ah > rest {
		ah = max(rest, p.sizes.amount*2/3)
	}
	top := max((rest-ah)/2, 0)
	y := in.Min.Y + top
	w := rad*2 + p.pad + p.face.width(title, ts, bold)
	x := in.Min.X + (in.Dx()-w)/2
	sign(float64(x+rad), float64(y)+float64(hh)/2, float64(rad))
	p.text(image.Rect(x+rad*2+p.pad, y, in.Max.X, y+hh), title, ts, bold, left, head)
	y += hh
	if v.Amount != nil {
		p.amount(image.Rect(in.Min.X, y, in.Max.X, y+ah), *v.Amount, min(ah, p.sizes.amount), centre, contrast(head, fg))
		y += ah
	}
	y += p.paragraph(image.Rect(in.Min.X, y, in.Max.X, in.Max.Y), body, p.body, medium, centre, fg)
	p.rows(image.Rect(in.Min.X+p.pad, y, in.Max.X-p.pad, in.Max.Y), contrast(head, fg), fg, line)
	p.code(in, fg)
}

// contrast is the colour for an amount: white on green, ink on white.
func contrast(head, fg color.Color) color.Color {
	if head == color.Color(white) {
		return white
	}
	return fg
}

// doubt is amber between hazard stripes; a danger sign at the left and everything else beside it, flush left.
func (p *painter) doubt(r image.Rectangle) {
	p.fill(r, amber)
	h := p.frame * 3 / 2
	p.stripes(image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+h))
	p.stripes(image.Rect(r.Min.X, r.Max.Y-h, r.Max.X, r.Max.Y))
	in := image.Rect(r.Min.X+p.pad, r.Min.Y+h+p.gap/2, r.Max.X-p.pad, r.Max.Y-h-p.gap/2)
	rad := in.Dx() / 10
	p.signDoubt(float64(in.Min.X+rad), float64(in.Min.Y+in.Max.Y)/2, float64(rad), ink, amber)
	p.beside(image.Rect(in.Min.X+2*rad+p.pad+p.gap, in.Min.Y, in.Max.X, in.Max.Y), ink, ink)
}

// stripes runs diagonal bars through r.
func (p *painter) stripes(r image.Rectangle) {
	p.fill(r, amber)
	h := float64(r.Dy())
	y0, y1 := float64(r.Min.Y), float64(r.Max.Y)
	for x := float64(r.Min.X) - 2*h; x < float64(r.Max.X); x += 2.4 * h {
		p.shape(ink, []pt{{x + h, y0}, {x + 2.2*h, y0}, {x + 1.2*h, y1}, {x, y1}})
	}
}

// notice is a blue column with an exclamation mark or the pictogram of what to do, and words beside it.
func (p *painter) notice(r image.Rectangle) {
	w := r.Dx() / 4
	p.fill(image.Rect(r.Min.X, r.Min.Y, r.Min.X+w, r.Max.Y), blue)
	x, y := r.Min.X+w/2, (r.Min.Y+r.Max.Y)/2
	if i := p.v.icon(); i != IconNone {
		s := w * 3 / 4
		p.icon(i, image.Rect(x-s/2, y-s/2, x-s/2+s, y-s/2+s), white, blue)
	} else {
		p.signNotice(float64(x), float64(y), float64(w)*0.32, white, blue)
	}
	p.beside(image.Rect(r.Min.X+w+p.pad, r.Min.Y+p.gap, r.Max.X-p.pad, r.Max.Y-p.gap), ink, dim)
}

// beside sets title, amount and words flush left, in the middle of the height.
func (p *painter) beside(r image.Rectangle, fg, soft color.Color) {
	v := p.v
	p.clock(r.Max.X, r.Min.Y)
	title, body := p.say(v.Title), p.lines()
	ts := p.heading
	if v.Amount != nil {
		ts = (p.heading + p.title) / 2 // the amount is larger
	}
	tl := p.wrap(title, ts, bold, r.Dx())
	for ts > p.title && len(tl) > 1 {
		ts--
		tl = p.wrap(title, ts, bold, r.Dx())
	}
	th := len(tl) * lead(ts)
	bl := p.wrap(body, p.body, medium, r.Dx())
	bh := len(bl) * lead(p.body)
	rh := len(v.Rows) * lead(p.body) * 11 / 10
	ch := 0
	if v.Code != "" {
		ch = lead(p.small)
	}
	ah := 0
	if v.Amount != nil {
		ah = min(p.sizes.amount*4/5, max(r.Dy()-th-bh-rh-ch-p.gap, p.sizes.amount*3/5))
	}
	h := th + ah + bh + rh + p.gap/2
	y := r.Min.Y + max((r.Dy()-ch-h)/2, 0)
	y += p.paragraph(image.Rect(r.Min.X, y, r.Max.X, r.Max.Y), title, ts, bold, left, fg)
	if v.Amount != nil {
		p.amount(image.Rect(r.Min.X, y, r.Max.X, y+ah), *v.Amount, ah*11/10, left, fg)
		y += ah
	}
	y += p.gap / 2
	y += p.paragraph(image.Rect(r.Min.X, y, r.Max.X, r.Max.Y-ch), body, p.body, medium, left, soft)
	p.rows(image.Rect(r.Min.X, y, r.Max.X, r.Max.Y-ch), fg, soft, rule)
	p.code(r, soft)
}

// titleAmount sets the title at the left and the amount at the right of one line, and returns its height.
func (p *painter) titleAmount(in image.Rectangle) int {
	h := lead(p.title) * 3 / 2
	w := in.Dx() * 11 / 20
	p.amount(image.Rect(in.Max.X-w, in.Min.Y, in.Max.X, in.Min.Y+h), *p.v.Amount, h*11/10, right, ink)
	p.text(image.Rect(in.Min.X, in.Min.Y, in.Max.X-w-p.gap, in.Min.Y+h), p.say(p.v.Title), p.title-2, bold, left, ink)
	return h
}

// menu: options as cards with the number that chooses them, the selected one filled.
func (p *painter) menu(r image.Rectangle) {
	v := p.v
	in := image.Rect(r.Min.X+p.pad, r.Min.Y+p.gap, r.Max.X-p.pad, r.Max.Y-p.gap)
	head := lead(p.title)
	if v.Amount != nil {
		head = p.titleAmount(in)
	} else {
		p.text(image.Rect(in.Min.X, in.Min.Y, in.Max.X, in.Min.Y+head), p.say(v.Title), p.title, bold, left, ink)
	}
	pages := (len(v.options) + pageSize - 1) / pageSize
	first := v.selected / pageSize * pageSize
	if pages > 1 {
		page := first/pageSize + 1
		p.pages(image.Rect(in.Min.X, in.Max.Y-p.gap, in.Max.X, in.Max.Y), page, pages)
		in.Max.Y -= p.gap + p.gap/2
	}
	in.Min.Y += head + p.gap/2
	if body := p.lines(); body != "" {
		in.Min.Y += p.paragraph(in, body, p.body-2, medium, left, dim)
	}
	if len(v.options) == 0 {
		p.paragraph(in, p.say(T(MenuEmpty)), p.body, medium, left, dim)
		return
	}
	shown := v.options[first:min(first+pageSize, len(v.options))]
	slots := len(shown)
	if pages > 1 {
		slots = pageSize // the cards do not grow on the last page
	}
	space := p.gap / 2
	h := min((in.Dy()-(slots-1)*space)/slots, lead(p.body)*19/10)
	for i, o := range shown {
		y := in.Min.Y + i*(h+space)
		p.card(image.Rect(in.Min.X, y, in.Max.X, y+h), i+1, o, first+i == v.selected)
	}
}

func (p *painter) card(b image.Rectangle, n int, o Option, selected bool) {
	bg, border, fg, soft, chip, num := color.Color(white), color.Color(rule), color.Color(ink), color.Color(dim), color.Color(pale), color.Color(navy)
	if selected {
		bg, border, fg, soft, chip, num = navy, navy, white, color.RGBA{0xc9, 0xd6, 0xe2, 0xff}, white, navy
	}
	p.outlineBox(b, 7, bg, border, 1)
	m := max(b.Dy()/8, 2)
	k := image.Rect(b.Min.X+m, b.Min.Y+m, b.Min.X+b.Dy()-m+p.gap, b.Max.Y-m)
	p.box(k, 5, chip)
	size := min(p.body, b.Dy()*10/13)
	p.text(k, string(rune('0'+n)), size, bold, centre, num)
	in := image.Rect(k.Max.X+p.gap, b.Min.Y, b.Max.X-p.gap-2, b.Max.Y)
	d, t := p.say(o.Detail), p.say(o.Text)
	if d != "" {
		ds := min(p.small+1, size)
		tw := min(p.face.width(t, size, bold), in.Dx()*3/5)
		dw := min(p.face.width(d, ds, medium), in.Dx()-tw-p.gap)
		p.text(image.Rect(in.Max.X-dw, in.Min.Y, in.Max.X, in.Max.Y), d, ds, medium, right, soft)
		in.Max.X -= dw + p.gap
	}
	p.text(in, t, size, bold, left, fg)
}

// pages draws a dot a page, the present one filled.
func (p *painter) pages(r image.Rectangle, page, pages int) {
	d := p.gap * 2
	x := (r.Min.X+r.Max.X)/2 - (min(pages, 12)-1)*d/2
	for i := range min(pages, 12) {
		col := color.Color(rule)
		if i+1 == page {
			col = navy
		}
		p.shape(col, circle(float64(x+i*d), float64(r.Min.Y+r.Max.Y)/2, float64(p.gap)*0.45))
	}
}

// qr draws the code at the left with its quiet zone, everything else beside it.
func (p *painter) qr(r image.Rectangle) {
	in := image.Rect(r.Min.X+p.pad, r.Min.Y+p.gap, r.Max.X-p.pad, r.Max.Y-p.gap)
	side := min(in.Dy(), in.Dx()*11/20)
	box := image.Rect(in.Min.X, in.Min.Y+(in.Dy()-side)/2, in.Min.X+side, in.Min.Y+(in.Dy()-side)/2+side)
	p.outlineBox(box, 8, white, rule, 1)
	// Four modules of quiet zone (ISO/IEC 18004): two inside the card, and the ground around is as light as needed.
	if code, m := biggest(p.v.QR, side, 4); code != nil {
		x0, y0 := box.Min.X+(side-m*code.Size)/2, box.Min.Y+(side-m*code.Size)/2
		for y := range code.Size {
			for x := range code.Size {
				if code.Black(x, y) {
					p.fill(image.Rect(x0+x*m, y0+y*m, x0+(x+1)*m, y0+(y+1)*m), color.Black)
				}
			}
		}
	} else {
		p.signBad(float64(box.Min.X+side/2), float64(box.Min.Y+side/2), float64(side)/5, red, white)
	}
	text := image.Rect(box.Max.X+p.pad, in.Min.Y, in.Max.X, in.Max.Y)
	if p.clock(text.Max.X, text.Max.Y-lead(p.body)-2) > 0 {
		text.Max.Y -= lead(p.body) + p.gap
	}
	if p.v.Amount != nil {
		h := min(p.sizes.amount, text.Dy()/3)
		p.amount(image.Rect(text.Min.X, text.Min.Y, text.Max.X, text.Min.Y+h), *p.v.Amount, h, left, ink)
		text.Min.Y += h
	}
	p.words(text, bold, ink, dim)
}

// biggest encodes s with the error correction that makes the largest modules within side pixels, the better one of two alike.
// It is nil when s is too long to be drawn.
func biggest(s string, side, quiet int) (best *qr.Code, module int) {
	for _, l := range []qr.Level{qr.Q, qr.M, qr.L} {
		code, err := qr.Encode(s, l)
		if err != nil {
			continue
		}
		if m := side / (code.Size + quiet); m > module {
			best, module = code, m
		}
	}
	return best, module
}
