package printer

import "strings"

// Paper is the width that a line may have. A column is a half-width character, 12 dots.
type Paper struct {
	Dots    int
	Columns int
}

// The two papers of the trade at 8 dots per millimetre.
var (
	Paper58 = Paper{Dots: 384, Columns: 32}
	Paper80 = Paper{Dots: 576, Columns: 48}
)

// Size is the size of a run of text.
type Size uint8

// Sizes.
const (
	Normal Size = iota
	Tall        // double height
	Large       // double height and width
)

// Align is where a line stands on the paper.
type Align uint8

// Alignments, with the values of ESC a.
const (
	Left Align = iota
	Center
	Right
)

// Run is text of one style. Text holds printable characters only.
type Run struct {
	Text string
	Size Size
	Bold bool
}

func (r Run) columns() int {
	if r.Size == Large {
		return 2 * Width(r.Text)
	}
	return Width(r.Text)
}

// Kind is the sort of a line.
type Kind uint8

// Kinds of lines.
const (
	Text Kind = iota + 1 // Left, placed by Align
	Row                  // Left at the left edge, Right at the right edge
	Rule                 // across the paper
	QR                   // Data, centred, N dots a module
	Feed                 // N empty lines
	Cut                  // between two slips
)

// Line is one line of a Doc; it always fits the paper.
type Line struct {
	Kind  Kind
	Align Align
	Left  []Run
	Right []Run
	Data  string
	N     int
}

// Doc is a laid-out slip.
type Doc struct {
	Paper Paper
	Lines []Line
}

func columns(runs []Run) int {
	n := 0
	for _, r := range runs {
		n += r.columns()
	}
	return n
}

func join(runs []Run) string {
	var b strings.Builder
	for _, r := range runs {
		b.WriteString(r.Text)
	}
	return b.String()
}

// Text draws the slip for a shell: columns are kept, a hanzi counts two, sizes are not shown, a QR code shows what it says.
func (d Doc) Text() string {
	var b strings.Builder
	put := func(s string, pad int) {
		if s = strings.TrimRight(s, " "); s != "" {
			b.WriteString(strings.Repeat(" ", max(pad, 0)) + s)
		}
		b.WriteByte('\n')
	}
	for _, l := range d.Lines {
		switch l.Kind {
		case Text:
			s := join(l.Left)
			free := d.Paper.Columns - Width(s)
			put(s, [...]int{Left: 0, Center: free / 2, Right: free}[l.Align])
		case Row:
			left, right := join(l.Left), join(l.Right)
			put(left+strings.Repeat(" ", max(d.Paper.Columns-Width(left)-Width(right), 0))+right, 0)
		case Rule:
			put(strings.Repeat("-", d.Paper.Columns), 0)
		case QR:
			for _, s := range append([]string{"[QR]"}, wrap(l.Data, d.Paper.Columns)...) {
				put(s, (d.Paper.Columns-Width(s))/2)
			}
		case Feed:
			b.WriteString(strings.Repeat("\n", max(l.N, 0)))
		case Cut:
			s := "- - - 8< - - -"
			put(s, (d.Paper.Columns-len(s))/2)
		}
	}
	return b.String()
}
