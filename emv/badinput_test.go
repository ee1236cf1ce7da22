package emv

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"posd/emv/tlv"
)

// What a broken or hostile card can send, one thing at a time, through a whole transaction: each ends in the outcome of the books or
// in an error that says at which step, and nothing is approved by it.
func TestBadInput(t *testing.T) {
	set := func(tag tlv.Tag, v string) func(*chip) { return func(c *chip) { c.set[tag] = unhex(v) } }
	drop := func(tag tlv.Tag) func(*chip) { return func(c *chip) { c.drop[tag] = true } }
	answer := func(ins, r string) func(*chip) { return func(c *chip) { c.answers[ins] = unhex(r) } }
	record := func(r string) func(*chip) { return func(c *chip) { c.unsigned = unhex(r) } }
	for _, c := range []struct {
		name   string
		change func(*chip)
		err    error // nil: a transaction with an outcome
		tvr    string
	}{
		{"BER-TLV: tag 1F FF FF FF FF", record("1FFFFFFFFF"), ErrBadCard, ""},
		{"BER-TLV: tag of three bytes", record("9F818101 00"), nil, "0000008000"},
		{"BER-TLV: length 80", record("5F3480"), ErrBadCard, ""},
		{"BER-TLV: length 81 00", record("DF018100"), nil, "0000008000"},
		{"BER-TLV: length 82 00 01", record("DF0182000101"), nil, "0000008000"},
		{"BER-TLV: length 84 FFFFFFFF", record("DF0184FFFFFFFF"), ErrBadCard, ""},
		{"BER-TLV: length 85", record("DF018500"), ErrBadCard, ""},
		{"BER-TLV: length beyond the template", record("DF010201"), ErrBadCard, ""},
		{"BER-TLV: template 70 within itself, sixty times", record(nested(0x70, 60)), nil, "0000008000"},
		{"BER-TLV: template 77 within a record, sixty times", record(nested(0x77, 60)), nil, "0000008000"},
		{"BER-TLV: template 61 within a record, sixty times", record(nested(0x61, 60)), nil, "0000008000"},
		{"BER-TLV: template A5 within the FCI, sixty times", func(c *chip) { c.prop += nested(0xA5, 60) }, nil, "0000008000"},
		{"BER-TLV: zeros between objects", record("000000"), nil, "0000008000"},
		{"BER-TLV: FF between objects", record("FFFFFF"), nil, "0000008000"},
		{"BER-TLV: a tag repeated", record("9F4202 0156"), ErrBadCard, ""},
		{"BER-TLV: a primitive tag with the bit of a template", record("7F42020156"), nil, "0000008000"},
		{"BER-TLV: a template that is no TLV inside", record("7303FFFFFF"), nil, "0000008000"},

		{"DOL: CDOL1 asks 255 bytes a hundred times", set(tagCDOL1, strings.Repeat("9AFF", 100)), ErrBadCard, ""},
		{"DOL: CDOL1 of unknown tags", set(tagCDOL1, "DF0104 9F5002 9F3704"), nil, "0000008000"},
		{"DOL: CDOL1 with the amount in five bytes", set(tagCDOL1, "9F0205 9F3704"), nil, "0000008000"},
		{"DOL: CDOL1 with the amount in seven bytes", set(tagCDOL1, "9F0207 9F3704"), nil, "0000008000"},
		{"DOL: CDOL1 cut off", set(tagCDOL1, "9F02"), ErrBadCard, ""},
		{"DOL: CDOL1 of endless tags", set(tagCDOL1, "9FFFFFFFFFFFFF01"), ErrBadCard, ""},
		{"DOL: CDOL2 cut off", set(tagCDOL2, "9F0206 8A"), ErrBadCard, ""},
		{"DOL: CDOL1 changes between records", record("8C039F0206"), ErrBadCard, ""},
		{"DOL: PDOL asks for too much", func(c *chip) { c.prop += "9F3804 9AFF9AFF" }, ErrBadCard, ""},

		{"BCD: letters in the PAN", set(tagPAN, "62000000000000AB"), ErrBadCard, ""},
		{"BCD: a digit behind the padding of the PAN", set(tagPAN, "620000000000F005"), ErrBadCard, ""},
		{"BCD: letters in the expiry date", set(tagExpiry, "3A1231"), ErrBadCard, ""},
		{"BCD: letters in the PAN sequence number", set(tagPSN, "1F"), ErrBadCard, ""},

		{"AFL: none", answer("A8", "8002 7D00 9000"), ErrBadCard, ""},
		{"AFL: empty", answer("A8", "7706 82027D00 9400 9000"), ErrBadCard, ""},
		{"AFL: SFI 0", answer("A8", "8006 7D00 00010100 9000"), ErrBadCard, ""},
		{"AFL: SFI 31", answer("A8", "8006 7D00 F8010100 9000"), ErrBadCard, ""},
		{"AFL: record 0", answer("A8", "8006 7D00 08000100 9000"), ErrBadCard, ""},
		{"AFL: last before first", answer("A8", "8006 7D00 08020100 9000"), ErrBadCard, ""},
		{"AFL: more records signed than named", answer("A8", "8006 7D00 08010102 9000"), ErrBadCard, ""},
		{"AFL: a thousand records", answer("A8", "8012 7D00 0801FF00 1001FF00 1801FF00 2001FF00 9000"), ErrBadCard, ""},
		{"AIP: none", answer("A8", "7706 940408010200 9000"), ErrBadCard, ""},
		{"AIP: one byte", answer("A8", "7709 82017D 940408010200 9000"), ErrBadCard, ""},
		{"GPO: another template", answer("A8", "7006 7D0008010200 9000"), ErrBadCard, ""},
		{"GPO: data with 6283", answer("A8", "80067D0008010200 6283"), ErrBadCard, ""},

		{"APDU: SELECT answers 61xx for ever", answer("A4", "6110"), ErrNotAccepted, ""},
		{"APDU: SELECT answers 6Cxx for ever", answer("A4", "6C10"), ErrNotAccepted, ""},
		{"APDU: GPO answers 61xx for ever", answer("A8", "6110"), ErrBadCard, ""},
		{"APDU: READ RECORD answers 6Cxx for ever", answer("B2", "6C10"), ErrBadCard, ""},
		{"APDU: SELECT answers nothing", answer("A4", ""), ErrBadCard, ""},
		{"APDU: SELECT answers one byte", answer("A4", "90"), ErrBadCard, ""},
		{"APDU: SELECT answers 259 bytes", answer("A4", strings.Repeat("00", 257)+"9000"), ErrBadCard, ""},
		{"APDU: GPO answers one byte", answer("A8", "61"), ErrBadCard, ""},
		{"APDU: READ RECORD answers 300 bytes", answer("B2", strings.Repeat("70", 298)+"9000"), ErrBadCard, ""},
		{"APDU: GENERATE AC answers nothing", answer("AE", ""), ErrBadCard, ""},

		{"EMV data: expiry date absent", drop(tagExpiry), ErrBadCard, ""},
		{"EMV data: expired", set(tagExpiry, "251231"), nil, "0040008000"},
		{"EMV data: expires on the day", set(tagExpiry, "260314"), nil, "0000008000"},
		{"EMV data: month 00", set(tagExpiry, "300031"), ErrBadCard, ""},
		{"EMV data: day 32", set(tagExpiry, "301232"), ErrBadCard, ""},
		{"EMV data: PAN of length zero", set(tagPAN, ""), ErrBadCard, ""},
		{"EMV data: PAN absent", drop(tagPAN), ErrBadCard, ""},
		{"EMV data: track 2 without D", set(tagTrack2, testPAN+"3012201F"), ErrBadCard, ""},
		{"5.2: track 2 of length zero", set(tagTrack2, ""), nil, "0000008000"},
		{"EMV data: CVM List of an odd length", set(tagCVMList, "0000000000000000 1F"), ErrBadCard, ""},
		{"EMV data: CVM List of seven bytes", set(tagCVMList, "00000000000000"), ErrBadCard, ""},
		{"EMV data: CVM List without rules", set(tagCVMList, "0000000000000000"), nil, "2000008000"},
		{"EMV data: CVM List of codes that nobody knows", set(tagCVMList, "0000000000000000 6000 7000"), nil, "0000C08000"},
		{"EMV data: CVM List of conditions that nobody knows", set(tagCVMList, "0000000000000000 1FFF"), nil, "0000808000"},
		{"EMV data: an account in the FCI beside the one in the records", func(c *chip) { c.prop += "5A086200000000000013" }, nil, "0000008000"},
		{"EMV data: the FCI names an amount", func(c *chip) { c.prop += "9F0206000000000001" }, nil, "0000008000"},
		{"EMV data: the card names its own amount", record("9F0206000000000001"), nil, "0000008000"},
		{"EMV data: the card names the terminal's verification results", record("95050000000000"), nil, "0000008000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch := newChip()
			ch.ca, ch.aip = "", "1C00" // authentication has its own tests; the TVR is that of the rest
			ch.set[tagCVMList] = unhex("0000000000000000 1F00")
			c.change(ch)
			cfg := testConfig()
			cfg.Terminal.Capabilities[2] = 0
			s, err := New(cfg).Start(t.Context(), ch, testRequest(), &person{})
			if c.err != nil {
				var e *Error
				if s != nil || !errors.Is(err, c.err) || !errors.As(err, &e) || e.Step == "" {
					t.Fatalf("%v, want %v", err, c.err)
				}
				if len(ch.log) > 40 {
					t.Errorf("%d commands", len(ch.log))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := unhex(c.tvr)
			want[0] |= 0x80 // offline data authentication was not performed
			if got := s.Result().TVR; got != [5]byte(want) || s.Outcome() == Approved {
				t.Errorf("TVR %X, want %X; outcome %d", got, want, s.Outcome())
			}
			if v, _ := s.Get(tagAmount); hex.EncodeToString(v) != "000000012345" {
				t.Errorf("amount %X", v)
			}
		})
	}
}
