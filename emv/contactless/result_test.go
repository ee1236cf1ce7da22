package contactless

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"posd/emv/tlv"
)

func TestResultOfACard(t *testing.T) {
	track := obj(0x57, "4761739001010119D30122010000000000")
	ac := obj(tagAC, "0102030405060708")
	for _, c := range []struct {
		name    string
		record  []byte
		objects Objects
		want    string // PAN, expiry, PSN, track 2; or the error
		fails   bool
	}{
		{"number and expiry of track 2", append(track, ac...), nil, "4761739001010119 3012  4761739001010119D30122010000000000", false},
		{"number of 5A, expiry of 5F24", slices.Concat(obj(0x5A, "6222021234567890128F"), obj(0x5F24, "291231"), ac), nil, "6222021234567890128 2912  ", false},
		{"both, equal", slices.Concat(obj(0x5A, "4761739001010119"), obj(0x57, "4761739001010119D3012201FF"), ac), nil, "4761739001010119 3012  4761739001010119D3012201", false},
		{"both, different", slices.Concat(obj(0x5A, "4761739001010127"), obj(0x57, "4761739001010119D3012201FF"), ac), nil, "two card numbers", true},
		{"the sequence number", slices.Concat(obj(0x5A, "4761739001010119"), obj(0x5F34, "07"), ac), nil, "4761739001010119  07 ", false},
		{"a record in a template", obj(0xFF8105, obj(0x5A, "4761739001010119"), ac), nil, "4761739001010119   ", false},
		{"a template that is broken", unhex("FF810505 5A0847"), nil, "data record", true},
		{"a template inside the record", slices.Concat(ac, obj(0x70, obj(0x5A, "4761739001010119"))), nil, "4761739001010119   ", false},
		{"the kernel's objects go before its record", slices.Concat(obj(0x5A, "4761739001010127"), ac), withObjects(0x5A, "4761739001010119"), "4761739001010119   ", false},
		{"objects without a record", nil, withObjects(0x5A, "4761739001010119", 0x9F26, "0102030405060708"), "4761739001010119   ", false},
		{"no number", ac, nil, "without a card number", true},
		{"no cryptogram", obj(0x5A, "4761739001010119"), nil, "without a cryptogram", true},
		{"a cryptogram of seven bytes", slices.Concat(obj(0x5A, "4761739001010119"), obj(tagAC, "01020304050607")), nil, "without a cryptogram", true},
		{"a number that is no digits", slices.Concat(obj(0x5A, "47617390010A0119"), ac), nil, "PAN", true},
		{"track 2 with letters", slices.Concat(obj(0x57, "47617390010A0119D3012F"), ac), nil, "not digits", true},
		{"track 2 with digits behind the padding", slices.Concat(obj(0x57, "4761739001F10119D301"), ac), nil, "not digits", true},
		{"track 2 with two separators", slices.Concat(obj(0x57, "4761739001010119D301D2"), ac), nil, "2 separators", true},
		{"track 2 without a separator has no number", slices.Concat(obj(0x57, "4761739001010119"), ac), nil, "without a card number", true},
		{"track 2 that ends behind the separator", slices.Concat(obj(0x57, "4761739001010119D3FF"), ac), nil, "4761739001010119   4761739001010119D3", false},
		{"a record that is broken", unhex("5A0847"), nil, "data record", true},
		{"nothing", nil, nil, "without a card number", true},
	} {
		for _, status := range []Status{Approved, OnlineRequest} {
			t.Run(fmt.Sprintf("%s: %v", c.name, status), func(t *testing.T) {
				d := newDesk(t)
				d.field = []any{visaCard()}
				d.kernels[3].does[0] = says(Outcome{Status: status, DataRecord: c.record, Objects: c.objects})
				r, err := d.run()
				if err != nil {
					if !c.fails || !errors.Is(err, ErrKernel) || !strings.Contains(err.Error(), c.want) || r.Status != 0 {
						t.Errorf("%v, want %s", err, c.want)
					}
					if strings.Contains(err.Error(), "476173") {
						t.Error("the error quotes the number")
					}
					return
				}
				got := fmt.Sprintf("%s %s %s %s", r.Card.PAN, r.Card.Expiry, r.Card.PSN, r.Card.Track2)
				if c.fails || got != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
			})
		}
	}
}

// Without a decision there is nothing that a number or cryptogram would be for.
func TestResultWithoutDecisionNeedsNoData(t *testing.T) {
	for _, s := range []Status{Declined, EndApplication, TryAnotherInterface} {
		d := newDesk(t)
		d.field = []any{visaCard()}
		d.kernels[3].does[0] = says(Outcome{Status: s})
		if r, err := d.run(); err != nil || r.Status != s || r.Kernel != 3 {
			t.Errorf("%v: %v, %v", s, r.Status, err)
		}
	}
}

func TestMagStripe(t *testing.T) {
	mag := slices.Concat(obj(tagTrack2Mag, "5413330089010434D3012201000000000000"), obj(tagCVC3, "1234"), obj(tagATC, "0001"))
	for _, c := range []struct {
		name   string
		status Status
		record []byte
		ok     bool
	}{
		{"online, by the CVC3", OnlineRequest, mag, true},
		{"online, by the entry mode", OnlineRequest, slices.Concat(obj(tagTrack2Mag, "5413330089010434D3012201"), obj(tagEntryMode, "91")), true},
		{"approved offline without a cryptogram", Approved, mag, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.field = []any{cardOf([][]byte{entry61(master)}, master)}
			d.kernels[2].does[0] = says(Outcome{Status: c.status, DataRecord: c.record})
			r, err := d.run()
			if (err == nil) != c.ok || c.ok && (!r.MagStripe || r.Card.PAN != "5413330089010434" || r.Card.Expiry != "3012") {
				t.Errorf("%v, mag-stripe %v", err, r.MagStripe)
			}
		})
	}
	d := newDesk(t)
	d.field = []any{visaCard()}
	if r, err := d.run(); err != nil || r.MagStripe {
		t.Error(err)
	}
}

func TestField55(t *testing.T) {
	d := newDesk(t)
	d.cfg.Combinations[0].App.Version = [2]byte{0x00, 0x96}
	d.cfg.Combinations[0].App.TerminalType, d.cfg.Combinations[0].App.Capabilities = 0x21, [3]byte{0xE0, 0x60, 0xC8}
	d.cfg.Combinations[0].Data = map[uint32][]byte{0x9F53: {0x52}}
	d.tx.Other, d.tx.Type = 45, 0x09
	d.cfg.Combinations[0].Limits = map[byte]Limits{0x09: {CVM: limit(1)}}
	d.field = []any{visaCard()}
	r, err := d.run()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		tag  tlv.Tag
		want string
	}{
		{"cryptogram, the kernel's", 0x9F26, "0102030405060708"},
		{"TVR, the kernel's", 0x95, "0000008000"},
		{"amount", 0x9F02, "000000012345"},
		{"other amount", 0x9F03, "000000000045"},
		{"currency", 0x5F2A, "0156"},
		{"exponent", 0x5F36, "02"},
		{"country", 0x9F1A, "0156"},
		{"date", 0x9A, "260314"},
		{"time", 0x9F21, "150926"},
		{"type", 0x9C, "09"},
		{"counter", 0x9F41, "00000042"},
		{"unpredictable number", 0x9F37, "01020304"},
		{"terminal type of the application", 0x9F35, "21"},
		{"capabilities of the application", 0x9F33, "E060C8"},
		{"additional capabilities", 0x9F40, "6000F0B001"},
		{"version", 0x9F09, "0096"},
		{"DF name", 0x84, visa},
		{"AID of the terminal", 0x9F06, visa},
		{"serial number", 0x9F1E, "3132333435363738"},
		{"entry mode", 0x9F39, "07"},
		{"TTQ as pre-processing left it", 0x9F66, "36404000"},
		{"category", 0x9F15, "5411"},
		{"acquirer", 0x9F01, "000048020000"},
		{"data of the combination", 0x9F53, "52"},
		{"nothing of an object that is not there", 0x9F74, ""},
	} {
		got, ok := r.Get(c.tag)
		if !bytes.Equal(got, unhex(c.want)) || ok != (c.want != "") {
			t.Errorf("%s: %X", c.name, got)
		}
	}
	if got := r.ICC([]tlv.Tag{0x9F36, 0x9F74, 0x9C}); !bytes.Equal(got, unhex("9F360201029C0109")) {
		t.Errorf("%X", got)
	}
}

func TestLabel(t *testing.T) {
	add := [5]byte{0x60, 0x00, 0xF0, 0xB0, 0x01}
	for _, c := range []struct {
		name                    string
		label, preferred, table string
		want                    string
	}{
		{"the label", "56495341", "", "", "VISA"},
		{"the preferred name in a table that is there", "56495341", "C96C616E", "01", "Élan"},
		{"the preferred name in a table that is not there", "56495341", "C96C616E", "02", "VISA"},
		{"no table", "56495341", "C96C616E", "", "VISA"},
		{"a table that there is none of", "56495341", "C96C616E", "11", "VISA"},
		{"a table of no digits", "56495341", "C96C616E", "0A", "VISA"},
		{"an empty preferred name", "56495341", "", "01", "VISA"},
		{"control characters are left out", "561B40495341", "", "", "V@ISA"},
		{"sixteen characters at most", strings.Repeat("41", 20), "", "", strings.Repeat("A", 16)},
		{"none: the combination's name", "", "", "", "Name"},
		{"blanks: the combination's name", "2020", "", "", "Name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			term := testTerminal()
			term.Additional = add
			if got := labelOf(unhex(c.label), unhex(c.preferred), unhex(c.table), &Combination{Name: "Name"}, term); got != c.want {
				t.Errorf("%q", got)
			}
		})
	}
}

// The message must fit the decision, whatever a kernel says.
func TestShow(t *testing.T) {
	for _, c := range []struct {
		name   string
		status Status
		cvm    CVM
		ui     *UIRequest
		want   Message
	}{
		{"the kernel's", Approved, NoCVM, &UIRequest{Message: MsgApproved}, MsgApproved},
		{"the kernel's, with signature", Approved, Signature, &UIRequest{Message: MsgApprovedSign}, MsgApprovedSign},
		{"none, approved", Approved, NoCVM, nil, MsgApproved},
		{"none, approved with signature", Approved, Signature, nil, MsgApprovedSign},
		{"none, declined", Declined, NoCVM, nil, MsgDeclined},
		{"approved with a decline's message", Approved, NoCVM, &UIRequest{Message: MsgDeclined}, MsgApproved},
		{"declined with an approval's message", Declined, NoCVM, &UIRequest{Message: MsgApproved}, MsgDeclined},
		{"declined with another message", Declined, NoCVM, &UIRequest{Message: MsgOtherCard}, MsgOtherCard},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.field = []any{visaCard()}
			d.kernels[3].does[0] = says(Outcome{Status: c.status, CVM: c.cvm, UIOutcome: c.ui, DataRecord: record})
			r, err := d.run()
			if err != nil || r.Show == nil || r.Show.Message != c.want || r.Card.Signature != (c.cvm == Signature) {
				t.Errorf("%v, %v", r.Show, err)
			}
			for _, u := range d.shown {
				if u.Message.approves() || u.Message == MsgDeclined {
					t.Errorf("shown too early: %v", u.Message)
				}
			}
		})
	}
}
