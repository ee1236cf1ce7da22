package keypad

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"posd/internal/money"
)

// gallery is every kind of screen with contents as they come in a merchant's day.
func gallery(now time.Time) []view {
	sum := money.Yuan(123456)
	small := money.Yuan(1280)
	ok := []Hint{{KeyEnter, T(HintOK)}, {KeyCancel, T(HintCancel)}}
	entry := []Hint{{KeyEnter, T(HintOK)}, {KeyClear, T(HintClear)}, {KeyCancel, T(HintCancel)}}
	menu := []Hint{{KeyUp, Text{}}, {KeyDown, T(HintMove)}, {KeyEnter, T(HintOK)}, {KeyCancel, T(HintCancel)}}
	cancel := []Hint{{KeyCancel, T(HintCancel)}}
	shop := Text{Words: map[Lang]string{ZH: "老街咖啡（人民路店）", EN: "Old Street Coffee"}}
	zero := money.Yuan(0)
	huge := money.Yuan(99999999999)
	return []view{
		{Screen: Screen{Name: "idle", Title: shop, Amount: &zero, Body: []Text{T(IdleTitle)}, Hints: []Hint{{KeyMenu, T(HintMenu)}, {KeyF1, T(HintReprint)}}}},
		{Screen: Screen{Name: "amount", Title: T(AmountTitle), Amount: &sum, Hints: entry}},
		{Screen: Screen{Name: "amount-huge", Title: T(AmountTitle), Amount: &huge, Hints: entry}},
		{Screen: Screen{Name: "amount-refused", Title: T(AmountTitle), Amount: &sum, Hints: entry}, Alert: T(AmountMax, money.Yuan(5000000))},
		{menu: true, Screen: Screen{Name: "method", Title: T(MethodTitle), Amount: &sum, Hints: menu}, selected: 1, options: []Option{
			{T(MethodCard), Text{}}, {T(MethodScan), Text{}}, {T(MethodShow), Text{}}, {T(MethodHuabei), Raw("3 / 6 / 12")},
		}},
		{menu: true, Screen: Screen{Name: "menu", Title: T(MenuTitle), Hints: menu}, selected: 6, options: []Option{
			{T(MenuReprint), Text{}}, {T(MenuLang), Text{}}, {T(MenuSignOn), Text{}}, {T(MenuSettle), Raw("2")}, {T(MenuEcho), Text{}}, {T(MenuInfo), Text{}}, {T(MenuSale), Text{}},
		}},
		{menu: true, Screen: Screen{Name: "menu6", Title: T(MenuTitle), Hints: menu}, selected: 2, options: []Option{
			{T(MenuReprint), Text{}}, {T(MenuLang), Text{}}, {T(MenuSignOn), Text{}}, {T(MenuSettle), Raw("2")}, {T(MenuEcho), Text{}}, {T(MenuInfo), Text{}},
		}},
		{menu: true, Screen: Screen{Name: "plans", Title: T(PlanTitle), Amount: &sum, Hints: menu}, selected: 2, options: []Option{
			{T(PlanWhole), Text{}}, {T(PlanPeriods, 3), T(PlanEach, money.Yuan(42099))}, {T(PlanPeriods, 6), T(PlanEach, money.Yuan(21502))}, {T(PlanPeriods, 12), T(PlanEach, money.Yuan(11060))},
		}},
		{Screen: Screen{Name: "plan-confirm", Title: T(PlanConfirm), Amount: &sum, Hints: ok, Rows: []Row{
			{T(PlanRowPeriods), T(PlanPeriods, 6), true},
			{T(PlanRowFirst), Text{}.amount(21507), false},
			{T(PlanRowEach), Text{}.amount(21502), false},
			{T(PlanRowFeeBuyer), Text{}.amount(5561), false},
			{T(PlanRowTotal), Text{}.amount(129017), true},
			{T(PlanRowNet), Text{}.amount(123456), false},
		}}},
		{Screen: Screen{Name: "insert", Title: T(CardInsert), Amount: &sum, Body: []Text{T(CardInsertBody)}, Hints: cancel, Until: now.Add(58 * time.Second)}},
		{Screen: Screen{Name: "reading", Mood: Busy, Title: T(CardReading), Amount: &sum, Body: []Text{T(CardKeep)}}},
		{Screen: Screen{Name: "pin", Title: T(PINTitle), Amount: &sum, Body: []Text{T(PINBody)}, ShowStar: true, Stars: 4, Until: now.Add(118 * time.Second)}},
		{Screen: Screen{Name: "scan", Title: T(ScanTitle), Amount: &small, Body: []Text{T(ScanBody)}, Hints: cancel, Until: now.Add(29 * time.Second)}},
		{Screen: Screen{Name: "show", Title: T(ShowTitle), Amount: &small, Body: []Text{T(ShowBody)}, QR: "https://qr.alipay.com/bax03431ljhokirwl38f00a7", Hints: cancel, Until: now.Add(80 * time.Second)}},
		{Screen: Screen{Name: "host", Mood: Busy, Title: T(BusyHost), Amount: &sum, Body: []Text{T(CardKeep)}}},
		{Screen: Screen{Name: "buyer", Mood: Busy, Title: T(BuyerWait), Amount: &sum, Body: []Text{T(BuyerWaitBody)}, Hints: cancel, Until: now.Add(25 * time.Second)}},
		{Screen: Screen{Name: "approved", Mood: Good, Title: T(Approved), Amount: &sum, Body: []Text{T(CardRemove)}, Hints: []Hint{{KeyEnter, T(HintDone)}}}},
		{Screen: Screen{Name: "approved-rows", Mood: Good, Title: T(Approved), Amount: &sum, Rows: []Row{{T(AuthCode), Raw("482913"), false}, {T(TraceNo), Raw("000128"), false}}, Hints: []Hint{{KeyEnter, T(HintDone)}}}},
		{Screen: Screen{Name: "declined", Mood: Bad, Title: T(Declined), Amount: &sum, Body: []Text{T(WhyFunds), T(NoMoney)}, Code: "51", Hints: []Hint{{KeyEnter, T(HintDone)}}}},
		{Screen: Screen{Name: "hostdown", Mood: Bad, Title: T(HostDown), Body: []Text{T(HostDownBody)}, Code: "E-NET-01", Hints: []Hint{{KeyEnter, T(HintRetry)}, {KeyCancel, T(HintCancel)}}}},
		{Screen: Screen{Name: "unknown", Mood: Doubt, Title: T(Unknown), Amount: &sum, Body: []Text{T(UnknownBody), T(UnknownNext)}, Code: "E-TMO-98", Hints: []Hint{{KeyEnter, T(HintDone)}}}},
		{Screen: Screen{Name: "reversed", Mood: Bad, Title: T(Reversed), Amount: &small, Body: []Text{T(ReversedBody)}, Hints: []Hint{{KeyEnter, T(HintDone)}}}},
		{Screen: Screen{Name: "remove", Mood: Notice, Title: T(CardRemove), Body: []Text{T(CardRemoveBody)}}},
		{Screen: Screen{Name: "paper", Mood: Notice, Title: T(PaperOut), Body: []Text{T(PaperOutBody)}, Code: "P-01", Hints: ok}},
		{Screen: Screen{Name: "pinpadgone", Mood: Notice, Title: T(PINPadGone), Body: []Text{T(DeviceCheck)}, Code: "D-02", Hints: []Hint{{KeyEnter, T(HintRetry)}, {KeyCancel, T(HintCancel)}}}},
		{Screen: Screen{Name: "settle", Mood: Busy, Title: T(BusySettle), Body: []Text{T(BusySettleBody, 1, 3)}}},
		{Screen: Screen{Name: "idle-words", Title: shop, Body: []Text{T(IdleTitle)}, Hints: []Hint{{KeyF1, T(HintLang)}, {KeyF2, T(HintReprint)}, {KeyMenu, T(HintMenu)}}}},
		{Screen: Screen{Name: "printer", Mood: Notice, Title: T(PaperOut), Amount: &sum, Body: []Text{T(PaperSafe)}, Code: "T01", Hints: []Hint{{KeyCancel, T(HintSkip)}, {KeyEnter, T(HintRetry)}}}},
		{Screen: Screen{Name: "tear", Mood: Good, Title: T(Approved), Amount: &sum, Body: []Text{T(PaperTear)}, Hints: []Hint{{KeyEnter, T(HintPrint)}}}},
		{Screen: Screen{Name: "owed", Mood: Doubt, Title: T(OwedFirst), Body: []Text{T(HostDownBody)}, Code: "U03", Hints: []Hint{{KeyEnter, T(HintOK)}}}},
		{Screen: Screen{Name: "undone", Mood: Bad, Title: T(Reversed), Amount: &sum, Body: []Text{T(NoMoney), T(ReversedBody)}, Rows: []Row{{T(TraceNo), Raw("000128"), false}}, Hints: []Hint{{KeyEnter, T(HintOK)}}}},
		{Screen: Screen{Name: "given-up", Mood: Doubt, Title: T(Unknown), Amount: &huge, Body: []Text{T(CallHelp)}, Rows: []Row{{T(OrderNo), Raw("20260302140500123456"), false}}, Code: "U02", Hints: []Hint{{KeyEnter, T(HintOK)}}}},
		{Screen: Screen{Name: "plan-confirm7", Title: T(PlanConfirm), Hints: ok, Rows: []Row{
			{T(PlanAmount), Text{}.amount(123456), false},
			{T(PlanRowPeriods), T(PlanPeriods, 6), false},
			{T(PlanRowFirst), Text{}.amount(21507), true},
			{T(PlanRowEach), Text{}.amount(21502), true},
			{T(PlanRowFeeBuyer), Text{}.amount(5561), false},
			{T(PlanRowTotal), Text{}.amount(129017), false},
			{T(PlanRowNet), Text{}.amount(123456), false},
		}}},
		{Screen: Screen{Name: "pin-hints", Title: T(PINTitle), Amount: &sum, Body: []Text{T(PINBody)}, ShowStar: true, Stars: 2, Hints: entry}},
		{Screen: Screen{Name: "wrong-pin", Mood: Bad, Title: T(WhyPIN), Amount: &sum, Body: []Text{T(TryAgain)}, Code: "55", Hints: []Hint{{KeyCancel, T(HintCancel)}, {KeyEnter, T(HintRetry)}}}},
		{typing: true, Screen: Screen{Name: "operator", Title: Text{Words: map[Lang]string{ZH: "操作员号", EN: "Operator number"}}, Entry: "••••", Hints: entry}, Alert: T(TextShort, 6)},
		{Screen: Screen{Name: "info", Title: T(MenuInfo), Hints: []Hint{{KeyCancel, T(HintBack)}}, Rows: []Row{
			{T(InfoMerchant), Raw("898310072980001"), false}, {T(InfoTerminal), Raw("00000001"), false}, {T(InfoVersion), Raw("0.1.0"), false}, {T(InfoOwed), Raw("0"), false},
		}}},
	}
}

func (Text) amount(fen int64) Text { return Raw(money.Yuan(fen).String()) }

// TestGallery draws every screen in both languages and sizes: no text may be cut. POSD_SHOTS names a directory where the pictures
// are kept for looking at them.
func TestGallery(t *testing.T) {
	now := time.Date(2026, 3, 2, 14, 5, 0, 0, time.UTC)
	dir := os.Getenv("POSD_SHOTS")
	for _, size := range []image.Point{{480, 320}, {320, 240}} {
		c := newCanvas(size)
		for _, l := range []Lang{ZH, EN} {
			g := gallery(now)
			sheet := image.NewRGBA(image.Rect(0, 0, 4*(size.X+6), (len(g)+3)/4*(size.Y+6)))
			for i, v := range g {
				st := Status{Link: []Link{LinkUp, LinkDown, LinkBusy, LinkUnknown}[i%4], Operator: "01", Owed: i % 3, Paper: i%5 == 3, Training: i%4 == 2}
				c.render(v, st, l, now)
				if c.cut > 0 {
					t.Errorf("%s %s %dx%d: %d pieces of text do not fit", v.Name, l, size.X, size.Y, c.cut)
				}
				at := image.Pt(i%4*(size.X+6), i/4*(size.Y+6))
				draw.Draw(sheet, c.img.Rect.Add(at), c.img, image.Point{}, draw.Src)
				if dir != "" {
					save(t, filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", l, size.X, v.Name)), c.img)
				}
			}
			if dir != "" {
				save(t, filepath.Join(dir, fmt.Sprintf("sheet-%s-%d.png", l, size.X)), sheet)
			}
		}
	}
}

func save(t *testing.T, name string, img image.Image) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, img), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// grey is the mean brightness of the display between its bars, 0 to 255, and how much of its outermost ring is dark.
func grey(c *canvas) (mean float64, ring float64) {
	r := image.Rect(0, c.status, c.img.Rect.Max.X, c.img.Rect.Max.Y-c.hint)
	var n, edge, dark float64
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			v := float64(color.GrayModel.Convert(c.img.At(x, y)).(color.Gray).Y)
			mean, n = mean+v, n+1
			if !image.Pt(x, y).In(r.Inset(c.frame / 2)) {
				edge++
				if v < 128 {
					dark++
				}
			}
		}
	}
	return mean / n, dark / edge
}

// TestMoods: approved, declined and unknown cannot be confused, not even without colours: a dark plane, a white plane in a dark
// frame, a light plane between stripes.
func TestMoods(t *testing.T) {
	now := time.Date(2026, 3, 2, 14, 5, 0, 0, time.UTC)
	sum := money.Yuan(123456)
	for _, size := range []image.Point{{480, 320}, {320, 240}} {
		c := newCanvas(size)
		show := func(m Mood, title Msg) (float64, float64) {
			c.render(view{Screen: Screen{Mood: m, Title: T(title), Amount: &sum, Hints: []Hint{{KeyEnter, T(HintDone)}}}}, Status{}, ZH, now)
			return grey(c)
		}
		good, _ := show(Good, Approved)
		bad, frame := show(Bad, Declined)
		doubt, stripes := show(Doubt, Unknown)
		if good > 120 || bad < 180 || doubt < 140 || doubt > 180 {
			t.Errorf("%v: mean grey: good %.0f, bad %.0f, doubt %.0f", size, good, bad, doubt)
		}
		if frame < 0.99 || stripes < 0.1 || stripes > 0.5 {
			t.Errorf("%v: dark share of the edge: bad %.2f, doubt %.2f", size, frame, stripes)
		}
	}
}

// TestAmountIsLargest: whatever else is on a screen, no line is set larger than the amount.
func TestAmountIsLargest(t *testing.T) {
	now := time.Date(2026, 3, 2, 14, 5, 0, 0, time.UTC)
	for _, size := range []image.Point{{480, 320}, {320, 240}} {
		for _, l := range []Lang{ZH, EN} {
			c := newCanvas(size)
			for _, v := range gallery(now) {
				if v.Amount == nil || v.Amount.Minor > 1e9 { // nine digits and a title do not compare
					continue
				}
				c.render(v, Status{}, l, now)
				if c.amountSize <= c.textSize {
					t.Errorf("%s %s %v: amount in %d pixels, other text in %d", v.Name, l, size, c.amountSize, c.textSize)
				}
			}
		}
	}
}

// TestZero: the digit has no stroke through it and is a closed ring.
func TestZero(t *testing.T) {
	f := newTypeface()
	for _, w := range []weight{medium, bold} {
		for _, size := range []int{18, 40, 88} {
			g := f.glyph('0', size, w)
			b := g.mask.Rect
			mid := image.Pt(b.Dx()/2, b.Dy()/2)
			if a := g.mask.AlphaAt(mid.X, mid.Y).A; a > 20 {
				t.Errorf("size %d: the middle is inked: %d", size, a)
			}
			ink := func(x0, y0, x1, y1 int) (most uint8) {
				for y := y0; y < y1; y++ {
					for x := x0; x < x1; x++ {
						most = max(most, g.mask.AlphaAt(x, y).A)
					}
				}
				return most
			}
			for side, a := range map[string]uint8{
				"top": ink(mid.X, 0, mid.X+1, b.Dy()/4), "bottom": ink(mid.X, b.Dy()*3/4, mid.X+1, b.Dy()),
				"left": ink(0, mid.Y, b.Dx()/3, mid.Y+1), "right": ink(b.Dx()*2/3, mid.Y, b.Dx(), mid.Y+1),
			} {
				if a < 150 {
					t.Errorf("size %d weight %d: no ink at the %s: %d", size, w, side, a)
				}
			}
		}
	}
}

// TestQRCode reads the drawn code back.
func TestQRCode(t *testing.T) {
	now := time.Date(2026, 3, 2, 14, 5, 0, 0, time.UTC)
	sum := money.Yuan(1280)
	for _, size := range []image.Point{{480, 320}, {320, 240}} {
		for _, link := range []string{"https://qr.alipay.com/bax03431ljhokirwl38f00a7", "HTTPS://Q.CN/1", strings.Repeat("x", 300)} {
			c := newCanvas(size)
			c.render(view{Screen: Screen{Title: T(ShowTitle), Amount: &sum, QR: link, Hints: []Hint{{KeyCancel, T(HintCancel)}}}}, Status{}, ZH, now)
			bmp, err := gozxing.NewBinaryBitmapFromImage(c.img)
			if err != nil {
				t.Fatal(err)
			}
			got, err := qrcode.NewQRCodeReader().Decode(bmp, nil)
			if err != nil || got.GetText() != link {
				t.Errorf("%v, %d characters: read %v, %v", size, len(link), got, err)
			}
		}
	}
}

// TestHostileText: what comes from outside (names of merchants, of cards, texts of hosts) is drawn or cut, never more than that.
func TestHostileText(t *testing.T) {
	now := time.Date(2026, 3, 2, 14, 5, 0, 0, time.UTC)
	neg := money.Amount{Minor: -1 << 63, Currency: 999}
	canvases := []*canvas{newCanvas(image.Pt(320, 240))}
	for _, s := range []string{"", "\x00\x1b[2J\n\r\t\xff\xfe\U0010ffff☃", strings.Repeat("长", 2000), strings.Repeat("Wa ", 500), strings.Repeat("，", 40)} {
		for _, c := range canvases {
			x := Raw(s)
			sc := Screen{Title: x, Amount: &neg, Entry: s, Body: []Text{x, x}, Code: s, Until: now.Add(1 << 60)}
			for range 4 {
				sc.Rows = append(sc.Rows, Row{x, x, true})
				sc.Hints = append(sc.Hints, Hint{KeyEnter, x})
			}
			for m := Plain; m <= Notice+1; m++ {
				sc.Mood = m
				for _, v := range []view{{Screen: sc}, {Screen: sc, menu: true, options: []Option{{x, x}}}, {Screen: sc, menu: true}} {
					if m == Notice+1 {
						v.QR, v.Amount, v.Rows = s+"x", nil, nil
					}
					c.render(v, Status{Operator: s, Owed: 1 << 30, Paper: true, Training: true}, EN, now)
				}
			}
		}
	}
}

func BenchmarkRender(b *testing.B) {
	now := time.Date(2026, 3, 2, 14, 5, 0, 0, time.UTC)
	c := newCanvas(image.Pt(480, 320))
	g := gallery(now)
	for b.Loop() {
		for _, v := range g {
			c.render(v, Status{}, ZH, now)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N*len(g)), "ms/screen")
}
