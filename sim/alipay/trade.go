package alipay

import (
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Trade states, as the gateway spells them. A precreated order that nobody has scanned has none: it is not a trade yet.
const (
	waitBuyerPay = "WAIT_BUYER_PAY"
	tradeSuccess = "TRADE_SUCCESS"
	tradeClosed  = "TRADE_CLOSED"
)

// Fund is a source of money.
type Fund struct {
	Channel string `json:"channel"` // ALIPAYACCOUNT or PCREDIT
	Minor   int64  `json:"minor"`
}

// Trade is a line of the ledger; amounts in fen.
type Trade struct {
	Number     string    `json:"number"` // out_trade_no
	TradeNo    string    `json:"trade_no"`
	Status     string    `json:"status"` // "" for a shown code that nobody has scanned
	Amount     int64     `json:"amount"`
	Phone      string    `json:"phone,omitempty"`
	Funds      []Fund    `json:"funds,omitempty"`
	Periods    int       `json:"periods,omitempty"` // 0: not in instalments
	SellerPays bool      `json:"seller_pays,omitempty"`
	Fee        int64     `json:"fee,omitempty"`
	BuyerTotal int64     `json:"buyer_total"` // what the buyer pays in the end
	SellerNet  int64     `json:"seller_net"`  // what the seller gets before the ordinary service fee
	Refunded   int64     `json:"refunded"`
	Created    time.Time `json:"created"`
	Paid       time.Time `json:"paid,omitzero"`
}

// Held is the money that the merchant holds of this trade.
func (t Trade) Held() int64 {
	if t.Paid.IsZero() {
		return 0
	}
	return t.Amount - t.Refunded
}

// trade is a Trade with what the gateway alone knows.
type trade struct {
	Trade
	print     string // of the request: a repeat must be the same
	allowed   channels
	phone     *Phone
	qr        string
	expires   time.Time // zero: never
	scanned   time.Time // when the phone was asked
	cancelled bool      // a cancel has been tried
	nagged    bool      // the cancel-retry fault has had its turn
	refunds   map[string]int64
}

// Rate is the instalment fee of a number of periods in millionths.
type Rate struct{ BuyerPPM, SellerPPM int64 }

// PublishedRates are the example rates of the public documentation.
func PublishedRates() map[int]Rate {
	return map[int]Rate{3: {23000, 18000}, 6: {45000, 45000}, 12: {75000, 75000}}
}

// Ledger tells all trades, oldest first.
func (g *Gateway) Ledger() []Trade {
	g.mu.Lock()
	defer g.flush() // after the lock is open
	defer g.mu.Unlock()
	g.advance()
	out := make([]Trade, len(g.order))
	for i, t := range g.order {
		out[i] = t.Trade
		out[i].Funds = slices.Clone(t.Funds)
	}
	return out
}

// refusal is a business no.
type refusal struct{ code, sub, words string }

func deny(sub, words string) *refusal { return &refusal{"40004", "ACQ." + sub, words} }

// channels is what a request allows to pay with.
type channels struct {
	balance, huabei, instalments bool
	periods                      int
	sellerPays                   bool
}

// advance lets happen what time alone brings about.
func (g *Gateway) advance() {
	now := g.clock()
	for _, t := range g.order {
		open := t.Status == waitBuyerPay || (t.Status == "" && t.qr != "")
		if !open {
			continue
		}
		if t.phone != nil && t.phone.Habit == Waits {
			due := t.scanned.Add(t.phone.Delay)
			if !now.Before(due) && (t.expires.IsZero() || due.Before(t.expires)) && g.settle(t) == nil {
				continue
			}
		}
		if !t.expires.IsZero() && !now.Before(t.expires) {
			g.shut(t, "expired")
		}
	}
}

// begin asks a phone to pay and acts by its habit. paid tells whether the money moved at once.
func (g *Gateway) begin(t *trade, p *Phone) (paid bool, no *refusal) {
	if _, no := t.fund(p); no != nil {
		return false, no
	}
	t.phone, t.Phone, t.scanned = p, p.Name, g.clock()
	t.TradeNo = g.nextTradeNo()
	t.Status = waitBuyerPay
	switch p.Habit {
	case AtOnce:
		if no := g.settle(t); no != nil {
			return false, no
		}
		return true, nil
	case Refuses:
		g.shut(t, "refused on the phone")
	}
	return false, nil
}

// fund picks what pays for the trade.
func (t *trade) fund(p *Phone) (string, *refusal) {
	huabei := (t.allowed.huabei && t.allowed.periods == 0) || (t.allowed.instalments && t.allowed.periods > 0)
	switch {
	case t.allowed.periods == 0 && t.allowed.balance && p.Balance >= t.Amount:
		return "ALIPAYACCOUNT", nil
	case huabei && p.HasHuabei && p.HuabeiCredit >= t.Amount:
		return "PCREDIT", nil
	case huabei && p.HasHuabei, t.allowed.balance && t.allowed.periods == 0:
		return "", deny("BUYER_BALANCE_NOT_ENOUGH", "买家余额不足")
	}
	return "", deny("NO_PAYMENT_INSTRUMENTS_AVAILABLE", "没有可用的支付工具")
}

// settle moves the money.
func (g *Gateway) settle(t *trade) *refusal {
	channel, no := t.fund(t.phone)
	if no != nil {
		return no
	}
	t.BuyerTotal, t.SellerNet = t.Amount, t.Amount
	if channel == "PCREDIT" {
		t.phone.HuabeiCredit -= t.Amount
		if t.allowed.periods > 0 {
			rate := g.rates[t.allowed.periods]
			t.Periods, t.SellerPays = t.allowed.periods, t.allowed.sellerPays
			if t.SellerPays {
				t.Fee = fee(t.Amount, rate.SellerPPM)
				t.SellerNet -= t.Fee
			} else {
				t.Fee = fee(t.Amount, rate.BuyerPPM)
				t.BuyerTotal += t.Fee
			}
		}
	} else {
		t.phone.Balance -= t.Amount
	}
	t.Funds = []Fund{{channel, t.Amount}}
	t.Status, t.Paid = tradeSuccess, g.clock()
	g.note("%s pays %s for %s from %s", t.Phone, yuan(t.Amount), t.Number, channel)
	return nil
}

// fee is amount times rate, half to even, in rational numbers.
func fee(amount, ppm int64) int64 {
	exact := new(big.Rat).Mul(big.NewRat(ppm, 1_000_000), big.NewRat(amount, 1))
	whole, rest := new(big.Int).QuoRem(exact.Num(), exact.Denom(), new(big.Int))
	switch new(big.Int).Mul(rest, big.NewInt(2)).Cmp(exact.Denom()) {
	case 1:
		whole.Add(whole, big.NewInt(1))
	case 0:
		whole.Add(whole, big.NewInt(int64(whole.Bit(0))))
	}
	return whole.Int64()
}

// shut closes a trade that was not paid.
func (g *Gateway) shut(t *trade, why string) {
	t.Status = tradeClosed
	g.note("%s closed: %s", t.Number, why)
}

// giveBack returns money to where it came from.
func (g *Gateway) giveBack(t *trade, minor int64) {
	t.Refunded += minor
	if t.Funds[0].Channel == "PCREDIT" {
		t.phone.HuabeiCredit += minor
	} else {
		t.phone.Balance += minor
	}
	if t.Refunded == t.Amount {
		t.Status = tradeClosed
	}
	g.note("%s of %s given back to %s", yuan(minor), t.Number, t.Phone)
}

func (g *Gateway) nextTradeNo() string {
	g.serial++
	return fmt.Sprintf("%s2200%010d", g.clock().In(shanghai).Format("20060102"), g.serial)
}

func (g *Gateway) find(number, tradeNo string) *trade {
	for _, t := range g.order {
		if (number != "" && t.Number == number) || (number == "" && tradeNo != "" && t.TradeNo == tradeNo) {
			return t
		}
	}
	return nil
}

func yuan(minor int64) string { return fmt.Sprintf("%d.%02d", minor/100, minor%100) }
