package world

import (
	"errors"
	"fmt"
	"time"

	"posd/sim/ccid"
	"posd/sim/vpcd"
)

// Foreign is the name of the card that another program is, over the vpcd protocol.
const Foreign = "vpcd"

// openVPCD lets cards connect, when Options.VPCD says so. One that connects is put into the reader at once if that is empty, as with
// vsmartcard's own vpcd. Else it stays at hand, as it does after being taken out, until Insert(Foreign). When it hangs up it is gone.
func (w *World) openVPCD() (err error) {
	if w.opt.VPCD == "" {
		return nil
	}
	o := vpcd.Options{Trace: w.tracer(), In: w.foreignCame, Out: w.foreignWent}
	if w.opt.Fast {
		o.Answer = 3 * time.Second // who is in a hurry does not wait long for a mute card
	}
	w.vpcd, err = vpcd.Listen(w.opt.VPCD, o)
	return err
}

func (w *World) closeVPCD() error {
	if w.vpcd == nil {
		return nil
	}
	return w.vpcd.Close()
}

// VPCD is the address at which a foreign card can connect, "" when none can.
func (w *World) VPCD() string {
	if w.vpcd == nil {
		return ""
	}
	return w.vpcd.Addr()
}

func (w *World) foreignCame(c *vpcd.Card) {
	w.smu.Lock()
	w.foreign = c
	in := w.card
	w.smu.Unlock()
	if in != "" || w.Insert(Foreign) != nil {
		w.note("vpcd: the card waits until it is inserted")
	}
}

func (w *World) foreignWent(*vpcd.Card) {
	w.smu.Lock()
	w.foreign = nil
	in := w.card == Foreign
	if in {
		w.card = ""
	}
	w.smu.Unlock()
	if in {
		w.hw.reader.Remove(0)
		w.note("card removed: " + Foreign)
	}
}

// sweepForeign takes a card out again that hung up while it was being inserted.
func (w *World) sweepForeign(c ccid.Card) {
	w.smu.Lock()
	lost := c != ccid.Card(w.foreign) && (w.card == "" || w.card == Foreign)
	if lost {
		w.card = ""
	}
	w.smu.Unlock()
	if lost {
		w.hw.reader.Remove(0)
	}
}

// foreignInfo is the foreign card as people see it.
func foreignInfo() CardInfo {
	return CardInfo{
		ID: Foreign, Name: Words{"外部卡", "Foreign card"}, About: Words{"由其他程序经 vpcd 提供", "another program, over vpcd"},
		Color: [2]string{"#5c5c66", "#3c3c46"},
	}
}

// foreignCard is the card that is connected.
func (w *World) foreignCard() (*vpcd.Card, error) {
	if w.vpcd == nil {
		return nil, errors.New("no card of another program can come: start the terminal with -vpcd ADDR")
	}
	w.smu.Lock()
	defer w.smu.Unlock()
	if w.foreign == nil {
		return nil, fmt.Errorf("no card is connected at %s", w.vpcd.Addr())
	}
	return w.foreign, nil
}
