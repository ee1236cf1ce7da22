package printer

import (
	"fmt"
	"strings"

	"rsc.io/qr"

	"posd/internal/money"
)

// Bounds of texts from outside, in columns. What is longer ends in "…" on the paper.
const (
	maxName  = 96  // merchant, reason
	maxShort = 40  // issuer, acquirer, label, buyer, operator
	maxID    = 64  // numbers of the acquirer and the gateway
	maxHex   = 64  // AID, cryptogram, TVR, TSI, ATC
	maxFunds = 20  // lines of FundLine
	maxPlan  = 120 // periods
)

// Layout makes the slip that a receipt asks for. Every line fits the paper. A *LayoutError names the field that makes the receipt
// one that must not be printed: an outcome that is not known, an amount below zero, a plan that does not add up.
func Layout(r Receipt, p Paper) (Doc, error) {
	if err := check(r, p); err != nil {
		return Doc{}, err
	}
	l := layout{lang: r.Lang, paper: p}
	l.head(r)
	l.merchant(r)
	switch {
	case r.Card != nil:
		l.card(r, *r.Card)
	case r.Wallet != nil:
		l.wallet(r, *r.Wallet)
	default:
		l.typeOf(r)
	}
	l.numbers(r)
	l.amount(r)
	switch {
	case r.Card != nil:
		l.cardFoot(r, *r.Card)
	case r.Wallet != nil:
		l.walletFoot(r, *r.Wallet)
	}
	if r.Duplicate {
		l.center(wDuplicate.in(l.lang), Normal, true)
	}
	l.add(Line{Kind: Feed, N: 1}, Line{Kind: Cut})
	return Doc{Paper: p, Lines: l.lines}, nil
}

func check(r Receipt, p Paper) error {
	bad := func(field, why string, args ...any) error {
		return &LayoutError{Field: field, Why: fmt.Sprintf(why, args...)}
	}
	switch {
	case p.Columns < 24 || p.Columns > 96 || p.Dots < p.Columns*12:
		return bad("Paper", "of %d dots and %d columns is not one of ours", p.Dots, p.Columns)
	case r.Copy < MerchantCopy || r.Copy > CancelledInfo:
		return bad("Copy", "is %d, which is no copy", r.Copy)
	case r.Outcome < Approved || r.Outcome > Reversed:
		return bad("Outcome", "is %d: there is no receipt for what is not known", r.Outcome)
	case r.Card != nil && r.Wallet != nil:
		return bad("Wallet", "is set beside Card")
	case r.Outcome == Approved && r.Card == nil && r.Wallet == nil:
		return bad("Card", "and Wallet are both missing on an approved receipt")
	case r.Amount.Minor < 0:
		return bad("Amount", "is below zero")
	}
	if r.Wallet == nil {
		return nil
	}
	if n := len(r.Wallet.Funds); n > maxFunds {
		return bad("Wallet.Funds", "has %d lines, more than %d", n, maxFunds)
	}
	if pl := r.Wallet.Plan; pl != nil {
		switch {
		case pl.Periods < 1 || pl.Periods > maxPlan:
			return bad("Wallet.Plan.Periods", "is %d", pl.Periods)
		case pl.Fee < 0 || pl.First < 0 || pl.Each < 0 || pl.SellerNet < 0 || pl.BuyerTotal < 0:
			return bad("Wallet.Plan", "has a part below zero")
		case pl.First > pl.BuyerTotal || pl.Each > pl.BuyerTotal,
			pl.Periods > 1 && pl.Each > (pl.BuyerTotal-pl.First)/int64(pl.Periods-1), // so that the product below cannot overflow
			pl.First+pl.Each*int64(pl.Periods-1) != pl.BuyerTotal:
			return bad("Wallet.Plan", "does not add up: %d + %d x %d is not %d", pl.First, pl.Periods-1, pl.Each, pl.BuyerTotal)
		}
	}
	return nil
}

type layout struct {
	lang  string
	paper Paper
	lines []Line
}

func (l *layout) add(lines ...Line) { l.lines = append(l.lines, lines...) }

func (l *layout) rule() { l.add(Line{Kind: Rule}) }

// center sets a text of ours in the middle, smaller where it would not fit at size, on several lines where it still would not.
func (l *layout) center(s string, size Size, bold bool) {
	if size == Large && 2*Width(s) > l.paper.Columns {
		size = Tall
	}
	for _, part := range wrap(s, l.paper.Columns) {
		l.add(Line{Kind: Text, Align: Center, Left: []Run{{part, size, bold}}})
	}
}

// para sets a text over as many lines as it needs.
func (l *layout) para(s string) {
	for _, part := range wrap(s, l.paper.Columns) {
		l.add(Line{Kind: Text, Left: []Run{{Text: part}}})
	}
}

// field sets a label at the left and its value at the right, below the label when both do not fit. An empty value is no line.
func (l *layout) field(label, value string) {
	if value == "" {
		return
	}
	if Width(label)+1+Width(value) <= l.paper.Columns {
		l.add(Line{Kind: Row, Left: []Run{{Text: label}}, Right: []Run{{Text: value}}})
		return
	}
	l.add(Line{Kind: Text, Left: []Run{{Text: label}}})
	for _, part := range wrap(value, l.paper.Columns) {
		l.add(Line{Kind: Text, Align: Right, Left: []Run{{Text: part}}})
	}
}

func (l *layout) outside(label word, value string, max int) {
	l.field(label.in(l.lang), Clean(value, max))
}

// money sets a label and an amount of the receipt's currency.
func (l *layout) money(label word, minor int64, c money.Currency) {
	l.field(label.in(l.lang), amountText(money.Amount{Minor: minor, Currency: c}))
}

// amountText writes "RMB 1,234.56", as on the slips of the trade; "RMB" prints on any printer, the sign does not.
func amountText(a money.Amount) string {
	code := a.Currency.String()
	if a.Currency == money.CNY {
		code = "RMB"
	}
	return code + " " + strings.TrimPrefix(a.String(), a.Currency.Symbol())
}

func (l *layout) head(r Receipt) {
	title := wNotice
	switch {
	case r.Copy == CancelledInfo:
	case r.Wallet != nil:
		title = wWalletTitle
	default:
		title = wCardTitle
	}
	l.center(title.in(l.lang), Large, true)
	switch {
	case r.Copy == MerchantCopy:
		l.center(wMerchantCopy.in(l.lang), Normal, false)
	case r.Copy == CustomerCopy && r.Wallet != nil:
		l.center(wBuyerCopy.in(l.lang), Normal, false)
	case r.Copy == CustomerCopy:
		l.center(wCardholderCopy.in(l.lang), Normal, false)
	}
	if r.Duplicate {
		l.center(wDuplicate.in(l.lang), Tall, true)
	}
	l.rule()
}

func (l *layout) merchant(r Receipt) {
	l.outside(wMerchant, r.Merchant, maxName)
	l.outside(wMID, r.MID, maxID)
	l.outside(wTID, r.TID, maxID)
	l.outside(wOperator, r.Operator, maxShort)
	l.rule()
}

func (l *layout) typeOf(r Receipt) {
	name, ok := TypeName(r.Type, l.lang)
	if en, _ := TypeName(r.Type, "en"); ok && l.lang != "en" {
		name += " " + en
	}
	name = Clean(name, maxShort)
	label := wType.in(l.lang)
	if Width(label)+1+Width(name) > l.paper.Columns {
		l.field(label, name)
		return
	}
	l.add(Line{Kind: Row, Left: []Run{{Text: label}}, Right: []Run{{Text: name, Bold: true}}})
}

func (l *layout) card(r Receipt, c CardPart) {
	l.outside(wAcquirer, r.Acquirer, maxShort)
	l.outside(wIssuer, c.Issuer, maxShort)
	l.outside(wScheme, c.Scheme, maxShort)
	if pan := MaskPAN(c.MaskedPAN); pan != "" {
		entry, _ := EntryName(c.Entry, l.lang)
		if psn := Clean(c.PSN, 4); psn != "" {
			pan += "-" + psn
		}
		l.field(wCard.in(l.lang), strings.TrimSpace(pan+"  "+Clean(entry, maxShort)))
	}
	l.typeOf(r)
}

func (l *layout) wallet(r Receipt, w WalletPart) {
	l.outside(wAcquirer, r.Acquirer, maxShort)
	l.typeOf(r)
	name, _ := WalletName(w.Name, l.lang)
	l.outside(wOrder, w.Order, maxID)
	l.field(Clean(name, 20)+wTradeNo.in(l.lang), Clean(w.TradeNo, maxID))
	l.outside(wBuyer, w.Buyer, maxShort)
}

func (l *layout) numbers(r Receipt) {
	if r.Batch != 0 {
		l.field(wBatch.in(l.lang), fmt.Sprintf("%06d", r.Batch))
	}
	if r.STAN != 0 {
		l.field(wVoucher.in(l.lang), fmt.Sprintf("%06d", r.STAN))
	}
	if r.Card != nil {
		l.outside(wAuth, r.Card.Auth, maxShort)
		l.outside(wRRN, r.Card.RRN, maxShort)
	}
	l.field(wTime.in(l.lang), r.Time.Format("2006-01-02 15:04:05"))
	l.rule()
}

// amount sets the amount as large as the paper allows, and how the transaction ended.
func (l *layout) amount(r Receipt) {
	label, sum := Run{Text: wAmount.in(l.lang)}, Run{Text: amountText(r.Amount), Size: Large, Bold: true}
	switch {
	case label.columns()+1+sum.columns() <= l.paper.Columns:
		l.add(Line{Kind: Row, Left: []Run{label}, Right: []Run{sum}})
	default:
		if sum.columns() > l.paper.Columns {
			sum.Size = Tall
		}
		l.add(Line{Kind: Text, Left: []Run{label}}, Line{Kind: Text, Align: Right, Left: []Run{sum}})
	}
	end := map[Outcome]word{Approved: wApproved, Declined: wDeclined, Reversed: wReversed}[r.Outcome]
	l.center(end.in(l.lang), Large, true)
	if r.Outcome == Reversed {
		l.para(wReversedNote.in(l.lang))
	}
	if r.Outcome != Approved {
		l.outside(wReason, r.Reason, maxName)
	}
	l.rule()
}

func (l *layout) cardFoot(r Receipt, c CardPart) {
	kind := Clean(c.CryptogramKind, 8)
	switch {
	case kind != "":
	case r.Outcome == Approved:
		kind = "TC"
	default:
		kind = "ARQC"
	}
	had := len(l.lines)
	l.field(kind, Clean(c.Cryptogram, maxHex))
	l.field("AID", Clean(c.AID, maxHex))
	if label := Clean(c.Label, maxShort); label != "" {
		l.field("APP", label)
	}
	tvr, tsi, atc := Clean(c.TVR, maxHex), Clean(c.TSI, maxHex), Clean(c.ATC, maxHex)
	l.field("TVR", tvr)
	l.pairOf("TSI", tsi, "ATC", atc)
	if r.Outcome == Approved {
		if len(l.lines) > had {
			l.rule()
		}
		l.consent(r, c)
	}
}

// pairOf sets two short fields on one line.
func (l *layout) pairOf(a, av, b, bv string) {
	left, right := a+" "+av, b+" "+bv
	if av == "" || bv == "" || Width(left)+1+Width(right) > l.paper.Columns {
		l.field(a, av)
		l.field(b, bv)
		return
	}
	l.add(Line{Kind: Row, Left: []Run{{Text: left}}, Right: []Run{{Text: right}}})
}

// consent is how the cardholder agreed: a line to sign on the merchant's copy, or why there is none.
func (l *layout) consent(r Receipt, c CardPart) {
	switch {
	case c.Signature && r.Copy == MerchantCopy:
		l.para(wSign.in(l.lang))
		l.add(Line{Kind: Feed, N: 2}, Line{Kind: Text, Left: []Run{{Text: strings.Repeat("_", l.paper.Columns)}}})
		l.para(wAgree.in(l.lang))
	case c.Signature:
	case c.PIN:
		l.center(wPINVerified.in(l.lang), Normal, false)
	default:
		l.center(wNoCVM.in(l.lang), Normal, false)
	}
}

func (l *layout) walletFoot(r Receipt, w WalletPart) {
	cur := r.Amount.Currency
	had := len(l.lines)
	if r.Outcome == Approved {
		l.funds(w, cur)
		if w.Plan != nil {
			l.plan(*w.Plan, cur, r.Copy == MerchantCopy)
		}
	}
	if !orderNumber(w.Order) {
		return
	}
	if len(l.lines) > had {
		l.rule()
	}
	if n := moduleDots(w.Order, l.paper.Dots); n > 0 {
		l.add(Line{Kind: QR, Data: w.Order, N: n})
		if r.Outcome == Approved {
			l.center(wScanToRefund.in(l.lang), Normal, false)
		}
	}
}

// funds says where the money really came from. Alipay answers PCREDIT for Huabei with and without instalments; the plan tells.
func (l *layout) funds(w WalletPart, cur money.Currency) {
	name := func(f FundLine) string {
		if w.Plan != nil && strings.EqualFold(f.Channel, "pcredit") {
			f.Channel = "pcreditpayInstallment"
		}
		s, _ := FundName(f.Channel, l.lang)
		return Clean(s, maxShort)
	}
	label := wFunds.in(l.lang)
	switch len(w.Funds) {
	case 0:
		l.field(label, wFundsUnknown.in(l.lang))
	case 1:
		l.field(label, name(w.Funds[0]))
	default:
		l.para(label)
		for _, f := range w.Funds {
			l.field("  "+name(f), amountText(money.Amount{Minor: f.Minor, Currency: cur}))
		}
	}
}

func (l *layout) plan(p PlanPart, cur money.Currency, merchant bool) {
	l.field(wPeriods.in(l.lang), fmt.Sprintf("%d%s", p.Periods, wPeriodsValue.in(l.lang)))
	l.money(wFirst, p.First, cur)
	if p.Periods > 1 {
		l.money(wEach, p.Each, cur)
	}
	l.money(wFee, p.Fee, cur)
	payer := wBuyerPays
	if p.SellerPays {
		payer = wSellerPays
	}
	l.field(wFeePayer.in(l.lang), payer.in(l.lang))
	l.money(wBuyerTotal, p.BuyerTotal, cur)
	if merchant {
		l.money(wSellerNet, p.SellerNet, cur)
	}
}

// orderNumber tells whether s can be the number of an order: what alipay.trade.pay allows as out_trade_no.
func orderNumber(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return true
}

// The quiet zone of a QR code is four modules at each side (ISO/IEC 18004, 5.3.8).
const quiet = 4

// moduleDots is how many dots a module of the code for data may have: about five eighths of the paper for the whole code, at
// least three dots (0.375 mm, what a telephone reads), at most eight; 0 when the paper is too narrow.
func moduleDots(data string, dots int) int {
	c, err := qr.Encode(data, qr.M)
	if err != nil {
		return 0
	}
	modules := c.Size + 2*quiet
	n := min(max(dots*5/8/modules, 3), 8)
	if n*modules > dots {
		return 0
	}
	return n
}
