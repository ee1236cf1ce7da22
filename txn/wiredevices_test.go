package txn_test

import (
	"context"
	"fmt"
	"testing/synctest"
	"time"

	"posd/emv"
	"posd/internal/money"
	"posd/keypad"
	"posd/printer"
	"posd/qrpay"
	"posd/qrpay/alipay"
	"posd/vault"
)

// safe is the vault, with the power cut before and after it writes.
type safe struct {
	*vault.Keys
	w *world
}

func (k safe) Install(ctx context.Context, wk vault.WorkingKeys) error {
	k.w.durably("keys")
	err := k.Keys.Install(ctx, wk)
	k.w.durably("keys")
	return err
}

// mortal is the wallet as a flow sees it: when the power went while a request was under way, there is no answer and no flow.
type mortal struct {
	*alipay.Gateway
	w *world
}

func (m mortal) Words(code, channel string) (zh, en string) { return alipay.TextFor(code, channel) }

func (m mortal) Pay(ctx context.Context, o qrpay.Order) (qrpay.Result, error) {
	m.w.orderLeaves(o)
	r, err := m.Gateway.Pay(ctx, o)
	m.w.alive()
	return r, err
}

func (m mortal) Precreate(ctx context.Context, o qrpay.Order) (qrpay.Result, error) {
	m.w.orderLeaves(o)
	r, err := m.Gateway.Precreate(ctx, o)
	m.w.alive()
	return r, err
}

func (m mortal) Query(ctx context.Context, number string, a money.Amount) (qrpay.Result, error) {
	r, err := m.Gateway.Query(ctx, number, a)
	m.w.alive()
	if k := m.w.plan.cut; k != nil && k.what == lineTaken && len(m.w.walletLines) == k.conn+2 {
		m.w.walletLines[k.conn].catchUp()
		synctest.Wait()
	}
	return r, err
}

func (m mortal) Cancel(ctx context.Context, number string) (qrpay.Result, error) {
	m.w.cancelLeaves(number)
	r, err := m.Gateway.Cancel(ctx, number)
	m.w.alive()
	return r, err
}

func (w *world) alive() {
	if w.dead.Load() {
		synctest.Wait() // the gateway does what it can with what has come
		w.cut()
	}
}

// --- the PIN pad: it holds the master key; clear keys and PINs are only here ---

type pad world

func (p *pad) clear(enc []byte) ([]byte, error) { return vault.DecryptECB(wireTMK, enc) }

func (p *pad) MAC(_ context.Context, mak, data []byte) ([8]byte, error) {
	if (*world)(p).at(pinPad, "MAC in the PIN pad", 1) == 1 {
		return [8]byte{}, vault.ErrPad
	}
	key, err := p.clear(mak)
	if err != nil {
		return [8]byte{}, err
	}
	return vault.PadMAC(key, data)
}

func (p *pad) EnterPIN(_ context.Context, pik []byte, r vault.PINEntry) (vault.PINBlock, error) {
	switch (*world)(p).at(pinPad, "PIN", 4) {
	case 1:
		return vault.PINBlock{}, vault.ErrPad
	case 2:
		return vault.PINBlock{}, vault.ErrPINCancelled
	case 3:
		return vault.PINBlock{}, vault.ErrPINTimeout
	case 4:
		return vault.PINBlock{Empty: true}, nil
	}
	pin := p.card.Profile().PIN
	r.Progress(len(pin))
	block, err := vault.EncodePIN0(pin, r.PAN)
	if err != nil {
		return vault.PINBlock{}, err
	}
	key, err := p.clear(pik)
	if err != nil {
		return vault.PINBlock{}, err
	}
	out, err := vault.EncryptECB(key, block[:])
	return vault.PINBlock{Block: [8]byte(out)}, err
}

// --- reader and card ---

type reader world

func (r *reader) WaitInserted(context.Context) error {
	r.inside = true
	r.card.Reset()
	return nil
}

func (r *reader) WaitRemoved(context.Context) error     { r.inside = false; return nil }
func (r *reader) Present(context.Context) (bool, error) { return r.inside, nil }
func (r *reader) PowerOff(context.Context) error        { return nil }
func (r *reader) PowerOn(context.Context) (emv.Card, error) {
	if !r.inside {
		return nil, emv.ErrCardLost
	}
	r.card.Reset()
	return (*contacts)(r), nil
}

// contacts is the card in the reader.
type contacts world

func (c *contacts) Transceive(_ context.Context, capdu []byte) ([]byte, error) {
	w := (*world)(c)
	if !w.inside {
		return nil, emv.ErrCardLost
	}
	o := w.at(apdu, fmt.Sprintf("APDU %X", capdu[:2]), apduOptions)
	if o != 0 && len(w.card.Cryptograms()) > 0 {
		w.cardFaults++
	}
	switch o {
	case apduLost:
		w.inside = false
		return nil, emv.ErrCardLost
	case apduError:
		return []byte{0x6F, 0x00}, nil
	case apduPower:
		w.cut()
	}
	out := w.card.Transceive(capdu)
	switch o {
	case apduTorn:
		w.inside = false
		w.cardFaults++
		return nil, emv.ErrCardLost
	case apduPowerDone:
		w.cut()
	}
	return out, nil
}

// --- paper, scanner, operator ---

type paper world

func (p *paper) Print(_ context.Context, r printer.Receipt) (bool, error) {
	w := (*world)(p)
	w.checkSlip(r)
	switch w.at(onPaper, "slip", 4) {
	case 1:
		w.cut()
	case 2:
		w.paper = append(w.paper, slip{r, true})
		w.cut()
	case 3:
		w.paper = append(w.paper, slip{r, false})
		w.cut()
	case 4:
		w.paper = append(w.paper, slip{r, true})
		return true, printer.ErrPaperOut
	}
	w.paper = append(w.paper, slip{r, false})
	return true, nil
}

type scanner world

func (s *scanner) Scan(context.Context) (string, error) {
	code, err := s.gateway.NewCode(s.phone)
	s.codes = append(s.codes, code)
	return code, err
}

type console world

func (c *console) Show(s keypad.Screen) {
	w := (*world)(c)
	w.checkScreen(s)
	if s.QR != "" && !w.shown[s.QR] {
		w.shown[s.QR] = true
		if err := w.gateway.ScanQR(w.phone, s.QR); err != nil && w.phone != "huabei-poor" {
			w.violated("the phone cannot read the code shown: %v", err)
		}
	}
}

func (c *console) Choose(_ context.Context, m keypad.Menu) (int, error) {
	return len(m.Options) - 1, nil
}

func (c *console) Confirm(_ context.Context, s keypad.Screen) error {
	c.Show(s)
	return nil
}

func (c *console) Text(context.Context, keypad.TextPrompt) (string, error) {
	return "", keypad.ErrCancelled
}

func (c *console) Press(_ context.Context, s keypad.Screen, accept ...keypad.Key) (keypad.Key, error) {
	c.Show(s)
	return accept[0], nil
}

func (c *console) Hold(_ context.Context, s keypad.Screen, d time.Duration) {
	c.Show(s)
	if !c.dead.Load() {
		time.Sleep(d)
	}
}

func (c *console) Cancellable(ctx context.Context) (context.Context, context.CancelFunc) {
	w := (*world)(c)
	if w.dead.Load() {
		panic(powerCut{})
	}
	ctx, cancel := context.WithCancelCause(ctx)
	if w.at(keys, "cancel key", 1) == 1 {
		cancel(keypad.ErrCancelled)
	}
	return ctx, func() { cancel(context.Canceled) }
}

func (c *console) SetStatus(keypad.Status) {}
func (c *console) Lang() keypad.Lang       { return keypad.ZH }
