package contactless

import (
	"testing"
)

func TestOneTap(t *testing.T) {
	d := newDesk(t)
	d.field = []any{visaCard()}
	r, err := d.run()
	if err != nil {
		t.Fatal(err)
	}
	d.expect("show 15/2", "card", "PPSE", "select "+visa, "kernel 3 Start A", "show 17/4", "off")
	if r.Status != Approved || r.Kernel != 3 || r.Label != "VISA CREDIT" || r.Show.Message != MsgApproved {
		t.Errorf("%v %v %q", r.Status, r.Kernel, r.Label)
	}
	c := r.Card
	if c.PAN != "6222021234567890128" || c.Expiry != "3012" || c.PSN != "01" || c.ATC != 0x0102 || c.CID != 0x80 || c.TVR != [5]byte{0, 0, 0, 0x80, 0} {
		t.Errorf("%+v", c)
	}
}
