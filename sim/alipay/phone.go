package alipay

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"time"
)

// Habit is how the owner of a phone behaves when asked for money.
type Habit string

// Habits.
const (
	AtOnce  Habit = "at-once" // pays without being asked for the password
	Waits   Habit = "waits"   // must give the password: confirms by itself after Phone.Delay, or when told to
	ByHand  Habit = "by-hand" // confirms when told to (Confirm)
	Never   Habit = "never"   // leaves the question unanswered, whatever the world says
	Late    Habit = "late"    // confirms in the very moment in which the merchant cancels, just too late for the cancel to see it
	Refuses Habit = "refuses" // says no
)

// Phone is a buyer with a wallet. Amounts are fen.
type Phone struct {
	Name         string        `json:"name"`
	Login        string        `json:"login"` // as the gateway masks it
	Balance      int64         `json:"balance"`
	HasHuabei    bool          `json:"has_huabei"`
	HuabeiCredit int64         `json:"huabei_credit"` // what is left of it
	Habit        Habit         `json:"habit"`
	Delay        time.Duration `json:"delay,omitempty"` // of Waits
	Asked        string        `json:"asked,omitempty"` // order number that waits for this phone, in answers of Phones only
	AskedMinor   int64         `json:"asked_minor,omitempty"`
}

// BuiltIn are the phones that a new gateway has.
func BuiltIn() []Phone {
	return []Phone{
		{Name: "huabei-good", Login: "139****0001", Balance: 50_000, HasHuabei: true, HuabeiCredit: 2_000_000, Habit: AtOnce},
		{Name: "huabei-poor", Login: "139****0002", Balance: 1_000, HasHuabei: true, HuabeiCredit: 5_000, Habit: AtOnce},
		{Name: "no-huabei", Login: "139****0003", Balance: 2_000_000, Habit: AtOnce},
		{Name: "waiting", Login: "139****0004", Balance: 2_000_000, HasHuabei: true, HuabeiCredit: 2_000_000, Habit: Waits, Delay: 8 * time.Second},
		{Name: "never", Login: "139****0005", Balance: 2_000_000, HasHuabei: true, HuabeiCredit: 2_000_000, Habit: Never},
		{Name: "late", Login: "139****0006", Balance: 2_000_000, HasHuabei: true, HuabeiCredit: 2_000_000, Habit: Late},
		{Name: "refusing", Login: "139****0007", Balance: 2_000_000, HasHuabei: true, HuabeiCredit: 2_000_000, Habit: Refuses},
	}
}

// Errors of the phones.
var (
	ErrPhone   = errors.New("sim/alipay: no such phone")
	ErrNothing = errors.New("sim/alipay: the phone is not being asked for anything")
	ErrQR      = errors.New("sim/alipay: the phone cannot read this code")
)

const codeLife = 60 * time.Second

// code is a payment code that a phone shows.
type code struct {
	phone  *Phone
	issued time.Time
	used   bool
}

// AddPhone adds a phone or replaces the one of the same name.
func (g *Gateway) AddPhone(p Phone) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, old := range g.phones {
		if old.Name == p.Name {
			*old = p
			return
		}
	}
	g.phones = append(g.phones, &p)
}

// Phones tells how the phones stand.
func (g *Gateway) Phones() []Phone {
	g.mu.Lock()
	defer g.flush() // after the lock is open
	defer g.mu.Unlock()
	g.advance()
	out := make([]Phone, len(g.phones))
	for i, p := range g.phones {
		out[i] = *p
		if t := g.askedOf(p); t != nil {
			out[i].Asked, out[i].AskedMinor = t.Number, t.Amount
		}
	}
	return out
}

// NewCode has the phone show a fresh payment code: 18 digits beginning 28, good for one payment within 60 s.
func (g *Gateway) NewCode(phone string) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p, err := g.phone(phone)
	if err != nil {
		return "", err
	}
	maps.DeleteFunc(g.codes, func(_ string, c *code) bool { return c.used || g.clock().Sub(c.issued) > codeLife })
	for {
		n, err := rand.Int(rand.Reader, big.NewInt(1e16))
		if err != nil {
			return "", err
		}
		s := fmt.Sprintf("28%016d", n)
		if _, taken := g.codes[s]; !taken {
			g.codes[s] = &code{phone: p, issued: g.clock()}
			return s, nil
		}
	}
}

// ScanQR has the phone scan a code that the terminal shows. It creates the trade; what happens then is the phone's habit.
func (g *Gateway) ScanQR(phone, qr string) error {
	g.mu.Lock()
	defer g.flush() // after the lock is open
	defer g.mu.Unlock()
	g.advance()
	p, err := g.phone(phone)
	if err != nil {
		return err
	}
	for _, t := range g.order {
		if t.qr != qr || t.qr == "" {
			continue
		}
		if t.phone != nil || t.Status != "" {
			return fmt.Errorf("%w: already scanned or closed", ErrQR)
		}
		if _, why := g.begin(t, p); why != nil {
			return fmt.Errorf("%w: %s", ErrQR, why.sub)
		}
		return nil
	}
	return fmt.Errorf("%w: unknown code", ErrQR)
}

// Confirm has the owner give the password for the oldest order that waits for this phone.
func (g *Gateway) Confirm(phone string) error {
	return g.decide(phone, func(t *trade) error {
		if why := g.settle(t); why != nil {
			return fmt.Errorf("sim/alipay: %s", why.sub)
		}
		return nil
	})
}

// Refuse has the owner say no to the oldest order that waits for this phone. The order is closed.
func (g *Gateway) Refuse(phone string) error {
	return g.decide(phone, func(t *trade) error { g.shut(t, "refused on the phone"); return nil })
}

func (g *Gateway) decide(phone string, do func(*trade) error) error {
	g.mu.Lock()
	defer g.flush() // after the lock is open
	defer g.mu.Unlock()
	g.advance()
	p, err := g.phone(phone)
	if err != nil {
		return err
	}
	t := g.askedOf(p)
	if t == nil || p.Habit == Never {
		return ErrNothing
	}
	return do(t)
}

func (g *Gateway) phone(name string) (*Phone, error) {
	for _, p := range g.phones {
		if p.Name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrPhone, name)
}

func (g *Gateway) askedOf(p *Phone) *trade {
	for _, t := range g.order {
		if t.phone == p && t.Status == waitBuyerPay {
			return t
		}
	}
	return nil
}
