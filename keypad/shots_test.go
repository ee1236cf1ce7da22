package keypad

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

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

// TestGallery draws every screen in both languages and sizes; POSD_SHOTS names a directory where the pictures are kept.
func TestGallery(t *testing.T) {
	now := time.Date(2026, 3, 2, 14, 5, 0, 0, time.UTC)
	for _, size := range []image.Point{{480, 320}, {320, 240}} {
		c := newCanvas(size)
		for _, l := range []Lang{ZH, EN} {
			for i, v := range gallery(now) {
				st := Status{Link: []Link{LinkUp, LinkDown, LinkBusy, LinkUnknown}[i%4], Operator: "01", Owed: i % 3, Paper: i%5 == 3, Training: i%4 == 2}
				c.render(v, st, l, now)
				if dir := os.Getenv("POSD_SHOTS"); dir != "" {
					name := filepath.Join(dir, string(l)+"-"+size.String()+"-"+v.Name+".png")
					f, err := os.Create(name)
					if err != nil {
						t.Fatal(err)
					}
					if err := png.Encode(f, c.img); err != nil {
						t.Fatal(err)
					}
					if err := f.Close(); err != nil {
						t.Fatal(err)
					}
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
