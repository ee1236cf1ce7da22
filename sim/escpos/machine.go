package escpos

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"

	"posd/sim"
)

// defaultSpacing is the line spacing of ESC 2 in dots: a hanzi of 24 and a gap of 6.
const defaultSpacing = 30

// style is all that ESC @ resets.
type style struct {
	bold, invert, upside, fontB bool
	under                       int // dots
	w, h                        int // magnification of half-width characters
	gap                         int // ESC SP
	page                        byte

	hanzi                 bool // Chinese mode
	hanziW, hanziH        int
	hanziUnder            int
	hanziLeft, hanziRight int

	spacing int
	align   byte
	margin  int
	area    int // GS W; 0 is all
	tabs    []int

	hri, barHeight, barWidth int
	qrDots                   int
	qrLevel                  byte
}

// item is something in the line that is not printed yet.
type item struct {
	x    int
	bits bitmap
	text string
}

// machine interprets the byte stream. It runs under the Printer's lock.
type machine struct {
	p     *Printer
	dots  int
	paper paper
	font  font

	cmd   []byte // the command being received
	skip  int    // bytes of an over-long command still to come
	multi []byte // the character being received

	st     style
	asb    byte // GS a; kept by ESC @
	line   []item
	x      int
	qrData []byte
	stored bitmap // GS ( L function 112
}

func (m *machine) reset() {
	m.st = style{
		w: 1, h: 1, hanzi: true, hanziW: 1, hanziH: 1, spacing: defaultSpacing,
		hri: 0, barHeight: 162, barWidth: 3, qrDots: 3, qrLevel: 48,
	}
	m.cmd, m.skip, m.multi, m.line, m.x, m.asb = nil, 0, nil, nil, 0, 0
	m.qrData, m.stored = nil, bitmap{}
}

// doInit is ESC @: the line that is not printed is dropped, the status setting stays.
func (m *machine) doInit([]byte) {
	asb := m.asb
	m.reset()
	m.asb = asb
}

// note records something that a test or a person should see: a command not known or not drawn.
func (m *machine) note(what string, b []byte) {
	m.p.trace(">", what, sim.Field{Name: "bytes", Value: fmt.Sprintf("% X", b[:min(len(b), 16)])})
}

// feed takes one byte.
func (m *machine) feed(c byte) {
	switch {
	case m.skip > 0:
		m.skip--
		return
	case len(m.cmd) > 0:
		m.command(c)
		return
	case len(m.multi) > 0:
		m.character(c)
		return
	}
	switch {
	case c == 0x10, c == 0x1b, c == 0x1c, c == 0x1d:
		m.cmd = append(m.cmd, c)
	case c == '\n':
		m.flush(m.st.spacing)
	case c == '\t':
		m.tab()
	case c == 0, c == '\r', c == 0x18: // NUL and CAN do nothing here; CR does nothing while line feeds are LF
	case c < 0x20, c == 0x7f:
		m.note("unknown control byte", []byte{c})
	default:
		m.character(c)
	}
}

func (m *machine) command(c byte) {
	m.cmd = append(m.cmd, c)
	if len(m.cmd) < 2 {
		return
	}
	cmd, ok := commands[[2]byte{m.cmd[0], m.cmd[1]}]
	switch {
	case !ok:
		m.note("unknown command", m.cmd)
		m.cmd = nil
		return
	case m.cmd[0] == 0x1d && m.cmd[1] == '(' && len(m.cmd) == 3 && c == 'k' && m.p.faults[NoNativeQR]:
		m.note("this model does not know: GS ( k", m.cmd)
		m.cmd = nil
		return
	}
	n := cmd.size(m.cmd)
	if n == 0 {
		return
	}
	if n > maxCommand {
		m.note(fmt.Sprintf("command of %d bytes is too long: %s", n, cmd.name), m.cmd)
		m.skip, m.cmd = n-len(m.cmd), nil
		return
	}
	m.heat()
	if len(m.cmd) < n {
		return
	}
	whole, rest := m.cmd[:n], m.cmd[n:]
	m.cmd = nil
	if cmd.do != nil {
		cmd.do(m, whole)
	}
	for _, c := range rest {
		m.feed(c)
	}
}

// heat lets a picture take its time row by row while it arrives: it is never in the buffer as a whole.
func (m *machine) heat() {
	if m.cmd[1] == 'v' && m.cmd[0] == 0x1d && len(m.cmd) > 8 {
		if row := le(m.cmd[4:]); row > 0 && (len(m.cmd)-8)%row == 0 {
			m.p.moved(1, false)
		}
	}
}

// character takes a byte of text.
func (m *machine) character(c byte) {
	if len(m.multi) == 0 && c < 0x80 {
		m.put(rune(c), false)
		return
	}
	if len(m.multi) > 0 && c < 0x30 { // no second byte of any encoding but UTF-8, whose are above
		m.broken()
		m.feed(c)
		return
	}
	m.multi = append(m.multi, c)
	switch {
	case m.p.opt.Encoding == "utf-8":
		if r, n := utf8.DecodeRune(m.multi); r != utf8.RuneError {
			m.wide(r)
		} else if n == 1 && utf8.FullRune(m.multi) {
			m.broken()
		}
	case !m.st.hanzi:
		m.multi = nil
		m.put(codePage(m.st.page, c), false)
	case len(m.multi) == 1 && (c == 0x80 || c == 0xff):
		m.broken()
	case len(m.multi) == 2 && c >= 0x30 && c <= 0x39 && m.p.opt.Encoding != "gbk" && !m.p.faults[GBKROM]:
	case len(m.multi) == 2 && (c < 0x40 || c == 0x7f): // a GBK printer shows a wrong character and goes on with this one
		m.broken()
		m.feed(c)
	case len(m.multi) == 2, len(m.multi) == 4:
		s, err := simplifiedchinese.GB18030.NewDecoder().Bytes(m.multi)
		if r, _ := utf8.DecodeRune(s); err == nil && r != utf8.RuneError && utf8.RuneCount(s) == 1 {
			m.wide(r)
			return
		}
		m.broken()
	}
}

func (m *machine) wide(r rune) {
	m.multi = nil
	m.put(r, true)
}

// broken prints a box for bytes that are no character.
func (m *machine) broken() {
	m.note("bytes that are no character", m.multi)
	m.wide('□')
}

// codePages by the numbers of ESC t.
var codePages = map[byte]*charmap.Charmap{
	0: charmap.CodePage437, 2: charmap.CodePage850, 3: charmap.CodePage860, 4: charmap.CodePage863, 5: charmap.CodePage865,
	15: charmap.ISO8859_7, 16: charmap.Windows1252, 17: charmap.CodePage866, 18: charmap.CodePage852, 19: charmap.CodePage858,
	39: charmap.ISO8859_2, 40: charmap.ISO8859_15, 45: charmap.Windows1250, 46: charmap.Windows1251, 47: charmap.Windows1253,
	48: charmap.Windows1254, 49: charmap.Windows1255, 50: charmap.Windows1256, 51: charmap.Windows1257, 52: charmap.Windows1258,
}

func (m *machine) doPage(b []byte) {
	m.st.page = b[2]
	if _, ok := codePages[b[2]]; !ok && b[2] != 1 {
		m.note(fmt.Sprintf("not drawn: code page %d", b[2]), b)
	}
}

// katakana is page 1 from 80 on: what receipts use of it are its lines.
var katakana = []rune("▁▂▃▄▅▆▇█▏▎▍▌▋▊▉┼┴┬┤├▔─│▕┌┐└┘╭╮╰╯")

// codePage is the character of a byte above 7F outside of Chinese mode.
func codePage(page, c byte) rune {
	if i := int(c) - 0x80; page == 1 && i < len(katakana) {
		return katakana[i]
	}
	cm, ok := codePages[page]
	if !ok {
		cm = charmap.CodePage437
	}
	if r := cm.DecodeByte(c); r != utf8.RuneError {
		return r
	}
	return '?'
}

// areaDots is how many dots a line may have.
func (m *machine) areaDots() int {
	n := m.dots - m.st.margin
	if m.st.area > 0 {
		n = min(n, m.st.area)
	}
	return max(n, 24)
}

// put sets one character into the line; a full line is printed first.
func (m *machine) put(r rune, wide bool) {
	w, h, under, before, after := m.st.w, m.st.h, m.st.under, 0, m.st.gap
	if wide {
		w, h, under, before, after = m.st.hanziW, m.st.hanziH, m.st.hanziUnder, m.st.hanziLeft, m.st.hanziRight
	}
	bits := m.font.glyph(r, wide, m.st.fontB && !wide, m.st.bold).scale(w, h)
	if under > 0 {
		bits.fill(0, bits.h-under, bits.w, bits.h)
	}
	if m.st.invert {
		bits.invert()
	}
	m.place(item{bits: bits, text: string(r)}, before*w, after*w)
}

func (m *machine) place(it item, before, after int) {
	if m.x+before+it.bits.w > m.areaDots() && m.x > 0 {
		m.flush(m.st.spacing)
	}
	it.x = m.x + before
	m.x = it.x + it.bits.w + after
	m.line = append(m.line, it)
}

func (m *machine) moveTo(x int) {
	if x >= 0 && x < m.areaDots() {
		m.x = x
	}
}

func (m *machine) tab() {
	col := 12 * m.st.w
	if m.st.tabs == nil { // every eighth column
		m.moveTo((m.x/(8*col) + 1) * 8 * col)
		return
	}
	for _, t := range m.st.tabs {
		if t*col > m.x {
			m.moveTo(t * col)
			return
		}
	}
}

func (m *machine) doTabs(b []byte) {
	m.st.tabs = []int{}
	for _, c := range b[2:] {
		if c != 0 {
			m.st.tabs = append(m.st.tabs, int(c))
		}
	}
}

func (m *machine) doAlign(n byte) {
	switch {
	case n >= '0' && n <= '2':
		n -= '0'
	case n > 2:
		return
	}
	if len(m.line) == 0 { // takes effect at the beginning of a line only
		m.st.align = n
	}
}

func (m *machine) doMode(b []byte) {
	n := b[2]
	m.st.fontB = n&0x01 != 0
	m.st.bold = n&0x08 != 0
	m.st.h = 1 + int(n>>4&1)
	m.st.w = 1 + int(n>>5&1)
	m.st.under = int(n >> 7)
}

func (m *machine) doHanziMode(b []byte) {
	n := b[2]
	m.st.hanziW = 1 + int(n>>2&1)
	m.st.hanziH = 1 + int(n>>3&1)
	m.st.hanziUnder = int(n >> 7)
}

func (m *machine) doSize(b []byte) {
	m.st.w, m.st.h = 1+int(b[2]>>4&7), 1+int(b[2]&7)
	m.st.hanziW, m.st.hanziH = m.st.w, m.st.h
}

// flush prints the line, if there is one, and moves the paper by feed rows or the height of the line, whichever is more.
func (m *machine) flush(feed int) {
	items := m.line
	m.line, m.x = nil, 0
	if len(items) == 0 {
		m.paper.feed(feed)
		for range feed / defaultSpacing {
			m.paper.say("")
		}
		if feed > 0 {
			m.p.moved(feed, feed >= defaultSpacing)
		}
		m.limit()
		return
	}
	width, height := 0, 0
	for _, it := range items {
		width, height = max(width, it.x+it.bits.w), max(height, it.bits.h)
	}
	row := newBitmap(width, height)
	for _, it := range items {
		row.draw(it.bits, it.x, height-it.bits.h)
	}
	if m.st.upside {
		row = row.rotate()
	}
	left := m.offset(width)
	m.paper.draw(row, left)
	m.say(lineText(items, left))
	m.paper.feed(feed - height)
	m.p.moved(max(feed, height), true)
	m.limit()
}

// offset is where something of a width begins.
func (m *machine) offset(width int) int {
	free := max(m.areaDots()-width, 0)
	return m.st.margin + [...]int{0, free / 2, free}[m.st.align]
}

// say adds a line to the paper's text and to the trace.
func (m *machine) say(s string) {
	m.paper.say(s)
	if s != "" {
		m.p.trace(">", s)
	}
	if m.p.faults[Unsolicited] {
		m.p.reply("unsolicited ASB", m.p.asb()...)
	}
}

// lineText is a line as text: a column is 12 dots, characters side by side stay side by side whatever their size.
func lineText(items []item, left int) string {
	var b strings.Builder
	end := 0
	for i, it := range items {
		gap := it.x - end
		if i == 0 {
			gap += left
		}
		b.WriteString(strings.Repeat(" ", max(gap/12, 0)))
		b.WriteString(it.text)
		end = it.x + it.bits.w
	}
	return strings.TrimRight(b.String(), " ")
}

// print puts a picture on the paper by itself, with text that stands for it.
func (m *machine) print(b bitmap, text string, pay bool) {
	if len(m.line) > 0 {
		m.flush(m.st.spacing)
	}
	m.paper.draw(b, m.offset(min(b.w, m.areaDots())))
	if text != "" {
		m.say(text)
	}
	if rows := b.h; !pay {
		m.p.touch()
	} else {
		m.p.moved(rows, text != "")
	}
	m.limit()
}

func (m *machine) doCut(b []byte) {
	if len(m.line) > 0 {
		m.flush(m.st.spacing)
	}
	if len(b) == 4 { // feed to the cutter and n more
		m.flush(cutterRows + int(b[3]))
	}
	m.cut()
}

func (m *machine) cut() {
	if m.p.opt.NoCutter {
		m.note("this model has no cutter", []byte{0x1d, 'V'})
		return
	}
	m.p.trace(">", "cut")
	m.paper.cut()
	m.p.touch()
}

// limit cuts paper that grew beyond what anyone would let hang out of a printer.
func (m *machine) limit() {
	if m.paper.rows() > maxRows {
		m.paper.divide(m.paper.rows())
	}
}

func (m *machine) doStatus(b []byte) {
	what := fmt.Sprintf("GS r %d", b[2])
	if m.p.faults[NoGSr] {
		m.p.trace(">", what+" (not answered)")
		return
	}
	switch b[2] {
	case 1, '1':
		m.p.reply(what, m.p.paperStatus())
	case 2, '2': // drawer
		m.p.reply(what, 0)
	default:
		m.note("unknown command", b)
	}
}

func (m *machine) doIdentify(b []byte) {
	switch n := b[2]; n {
	case 1, '1':
		m.p.reply("GS I 1", 0x20)
	case 2, '2':
		m.p.reply("GS I 2", 0x03) // multi-byte characters, cutter
	case 3, '3':
		m.p.reply("GS I 3", 0x01)
	case 65, 66, 67, 68:
		s := map[byte]string{65: "1.0", 66: "possim", 67: fmt.Sprintf("ESCPOS-%d", m.dots), 68: "000001"}[n]
		m.p.reply(fmt.Sprintf("GS I %d", n), append([]byte("_"+s), 0)...)
	default:
		m.note("unknown command", b)
	}
}
