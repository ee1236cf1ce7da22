package emv

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"posd/emv/tlv"
)

// ready is a session with an application chosen, for tests of a single step.
func ready(t testing.TB, c Card) *Session {
	t.Helper()
	s := session(t, testConfig(), c, &person{})
	s.reset(&s.k.cfg.Applications[0])
	s.rid = testRID[:]
	return s
}

func TestGPOTranscripts(t *testing.T) {
	for name, afl := range map[string]string{"case_1": "080202001001040018010201", "case_2": "1801020120020400", "case_4": "080202001001040018010201"} {
		t.Run(name, func(t *testing.T) {
			pairs := transcript(t, "initiate_application_processing/"+name)
			card := script(t, pairs...)
			s := ready(t, card)
			if name == "case_4" {
				// The card's PDOL asks for three bytes that this terminal gives from objects of its own.
				s.icc.Set(tagPDOL, unhex("DF7E03"))
				s.term.Set(0xDF7E, unhex("60F0C8"))
			}
			again, err := s.initiate(t.Context())
			card.done()
			got, _ := s.icc.Get(tagAFL)
			if err != nil || again || !bytes.Equal(got, unhex(afl)) {
				t.Errorf("AFL %X, again %v, %v", got, again, err)
			}
		})
	}
}

func TestGPOClauses(t *testing.T) {
	for _, c := range []struct {
		name, pdol, command, answer string
		again                       bool
		err                         error
	}{
		{"10.1 without a PDOL", "", "80A8000002830000", "800A 7D00 08010100 10010101 9000", false, nil},
		{"10.1 with a PDOL", "9F1A029F33035F2A02", "80A80000098307 0156E068C80156 00", "800A 7D00 08010100 10010101 9000", false, nil},
		{"10.1 format 2", "", "80A8000002830000", "770A 82027D00 940408010100 9000", false, nil},
		{"10.1 format 2 with an object of the card's own", "", "80A8000002830000", "770E 82027D00 940408010100 DF010155 9000", false, nil},
		{"10.1 conditions of use not satisfied", "", "80A8000002830000", "6985", true, nil},
		{"any other status ends the transaction", "", "80A8000002830000", "6984", false, ErrBadCard},
		{"a warning ends the transaction", "", "80A8000002830000", "6283", false, ErrBadCard},
		{"no data", "", "80A8000002830000", "9000", false, ErrBadCard},
		{"format 1 without an AFL", "", "80A8000002830000", "8002 7D00 9000", false, ErrBadCard},
		{"format 2 without an AIP", "", "80A8000002830000", "7706 940408010100 9000", false, ErrBadCard},
		{"format 2 without an AFL", "", "80A8000002830000", "7704 82027D00 9000", false, ErrBadCard},
		{"an AIP of one byte", "", "80A8000002830000", "7709 82017D 940408010100 9000", false, ErrBadCard},
		{"two AIPs", "", "80A8000002830000", "770E 82027D00 82027C00 940408010100 9000", false, ErrBadCard},
		{"another template", "", "80A8000002830000", "7006 82027D00 9000", false, ErrBadCard},
		{"a length beyond the answer", "", "80A8000002830000", "8010 7D00 9000", false, ErrBadCard},
		{"bytes behind the template", "", "80A8000002830000", "8006 7D00 08010100 5A0147 9000", false, ErrBadCard},
		{"6.5.8.4 format 1 in a length of two bytes", "", "80A8000002830000", "808106 7D00 08010100 9000", false, nil},
		{"6.5.8.4 format 2 in a length of three bytes", "", "80A8000002830000", "7782000A 82027D00 940408010100 9000", false, nil},
		{"6.5.8.4 format 2, the objects in another order", "", "80A8000002830000", "770A 940408010100 82027D00 9000", false, nil},
		{"B1 zeros within format 2", "", "80A8000002830000", "770D 00 82027D00 0000 940408010100 9000", false, nil},
		{"B1 zeros beside the template", "", "80A8000002830000", "00 8006 7D00 08010100 00 9000", false, nil},
		{"7.5 format 2 with a cryptogram that is not asked for", "", "80A8000002830000", "7711 82027D00 940408010100 9F270140 9F2600 9000", false, nil},
		{"7.5 format 2 with two AFLs", "", "80A8000002830000", "7710 82027D00 940408010100 940408010100 9000", false, ErrBadCard},
		{"7.5 format 2 with an AIP of three bytes", "", "80A8000002830000", "770B 82037D0000 940408010100 9000", false, ErrBadCard},
		{"7.5 format 2 within format 2", "", "80A8000002830000", "770C 770A 82027D00 940408010100 9000", false, ErrBadCard},
		{"6.5.8.4 format 1 that is empty", "", "80A8000002830000", "8000 9000", false, ErrBadCard},
		{"6.5.8.4 format 1 of five bytes", "", "80A8000002830000", "8005 7D00 080101 9000", false, ErrBadCard},
		{"8.1 6283 with data", "", "80A8000002830000", "8006 7D00 08010100 6283", false, ErrBadCard},
		{"8.1 6300", "", "80A8000002830000", "6300", false, ErrBadCard},
		{"8.1 6A81", "", "80A8000002830000", "6A81", false, ErrBadCard},
		{"6.3.5 61xx does not reach the application layer", "", "80A8000002830000", "6106", false, ErrBadCard},
		{"6.3.5 6Cxx does not reach the application layer", "", "80A8000002830000", "6C06", false, ErrBadCard},
		{"10.1 an empty PDOL is a PDOL", "-", "80A8000002830000", "8006 7D00 08010100 9000", false, nil},
		{"5.4 a PDOL for tags that are not known", "DF0103 9F5002", "80A80000078305 0000000000 00", "8006 7D00 08010100 9000", false, nil},
		{"5.4 a PDOL for a template", "BF0C03", "80A80000058303 000000 00", "8006 7D00 08010100 9000", false, nil},
		{"5.4 a PDOL for the amount in five bytes", "9F0205", "80A80000078305 0000012345 00", "8006 7D00 08010100 9000", false, nil},
		{"5.4 a PDOL for the amount in seven bytes", "9F0207", "80A80000098307 00000000012345 00", "8006 7D00 08010100 9000", false, nil},
		{"5.4 a PDOL for what a card keeps to itself", "5A08", "80A800000A8308 0000000000000000 00", "8006 7D00 08010100 9000", false, nil},
		{"5.4 a PDOL for nothing", "9A00", "80A8000002830000", "8006 7D00 08010100 9000", false, nil},
		{"5.4 a PDOL for the same object twice", "9C019C01", "80A80000048302 0000 00", "8006 7D00 08010100 9000", false, nil},
		{"a PDOL for 255 bytes a hundred and twenty-six times", strings.Repeat("9AFF", 126), "", "", false, ErrBadCard},
		{"a PDOL of endless tags", "1FFFFFFFFFFF01", "", "", false, ErrBadCard},
		{"a PDOL with padding", "9A0300", "", "", false, ErrBadCard},
		{"a PDOL cut off", "9F1A", "", "", false, ErrBadCard},
		{"a PDOL that asks for more than a command holds", "9AFF9A01", "", "", false, ErrBadCard},
		{"a PDOL that asks for as much as a command holds", "9A039AF9", "80A80000FF83 81FC 260314" + strings.Repeat("00", 246) + "260314 00", "8006 7D00 08010100 9000", false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := script(t)
			if c.command != "" {
				card.pairs = [][2]string{{c.command, c.answer}}
			}
			s := ready(t, card)
			if c.pdol != "" {
				s.icc.Set(tagPDOL, unhex(strings.Trim(c.pdol, "-")))
			}
			again, err := s.initiate(t.Context())
			card.done()
			if again != c.again || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("again %v, error %v; want %v, %v", again, err, c.again, c.err)
			}
			if err == nil && !again && s.aip != [2]byte{0x7D, 0x00} {
				t.Errorf("AIP %X", s.aip)
			}
		})
	}
}

// 10.1: after 6985 the terminal goes back to the list; when nothing is left it says what was wrong.
func TestGPORefusedLeadsToTheNextApplication(t *testing.T) {
	cfg := testConfig()
	credit := cfg.Applications[0]
	credit.AID = unhex("A000000333010102")
	cfg.Applications = append(cfg.Applications, credit)
	c := newChip()
	refusing := &twoApps{chip: c, other: "A000000333010102"}
	p := &person{choice: func(c []Candidate) (int, error) { return len(c) - 1, nil }}
	s, err := New(cfg).Start(t.Context(), refusing, testRequest(), p)
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Result(); hex.EncodeToString(r.AID) != strings.ToLower(c.aid) || r.Label != "UNION CARD" || len(p.offered) != 2 {
		t.Errorf("%X %s after %d offers", r.AID, r.Label, len(p.offered))
	}
	c = newChip()
	c.answers["A8"] = unhex("6985")
	if _, err := start(t, c); !errors.Is(err, ErrConditionsFail) {
		t.Errorf("the only application refuses: %v", err)
	}
}

// twoApps is a chip with a second application that refuses every transaction.
type twoApps struct {
	*chip
	other string
	cur   string
}

func (c *twoApps) Transceive(ctx context.Context, capdu []byte) ([]byte, error) {
	if capdu[1] == 0xA4 {
		c.cur = strings.ToUpper(hex.EncodeToString(capdu[5 : len(capdu)-1]))
		if c.cur == c.other {
			return unhex(fciOf(c.other, "5003 424144")), nil
		}
	}
	if c.cur == c.other {
		return unhex("6985"), nil
	}
	return c.chip.Transceive(ctx, capdu)
}

func TestRecordTranscripts(t *testing.T) {
	for _, c := range []struct {
		name, afl string
		err       error
	}{
		{"case_3", "0802020018010201", ErrBadCard},   // READ RECORD refused
		{"case_5", "0802020018010201", ErrBadCard},   // bytes behind the template
		{"case_7", "08020200", ErrBadCard},           // mandatory objects are missing
		{"case_9", "0802020010010201", ErrBadCard},   // still without CDOLs
		{"case_11", "080202001001020158010100", nil}, // a record of SFI 11 beside the payment system's
	} {
		t.Run(c.name, func(t *testing.T) {
			card := script(t, transcript(t, "read_application_data/"+c.name)...)
			s := ready(t, card)
			s.icc.Set(tagAFL, unhex(c.afl))
			err := s.readRecords(t.Context())
			card.done()
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if err == nil && (s.pan != "4761739001010119" || s.track2 != "4761739001010119D22122011758928889" || s.expiry != 20221231) {
				t.Error("PAN, track 2 or expiry is wrong")
			}
		})
	}
}

func TestAFLClauses(t *testing.T) {
	for _, c := range []struct{ name, afl string }{
		{"empty", ""},
		{"not a multiple of four", "08010100 10"},
		{"SFI 0", "00010100"},
		{"SFI 31", "F8010100"},
		{"first record 0", "08000100"},
		{"last before first", "08020100"},
		{"more signed than there are", "08010203"},
		{"more records than can be meant", "08018100"},
		{"more records in sum", "08014000 10014000 18014000"},
		{"longer than the command could carry", strings.Repeat("08010100", 64)},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := script(t)
			s := ready(t, card)
			s.icc.Set(tagAFL, unhex(c.afl))
			if err := s.readRecords(t.Context()); !errors.Is(err, ErrBadCard) {
				t.Errorf("error %v", err)
			}
		})
	}
	s := ready(t, script(t))
	s.k.maxRecords = 2
	s.icc.Set(tagAFL, unhex("08010300"))
	if err := s.readRecords(t.Context()); !errors.Is(err, ErrBadCard) {
		t.Errorf("record limit: %v", err)
	}
}

// 10.2: which records are read, in which order, and what of them is authenticated (10.3).
func TestAFLReadingClauses(t *testing.T) {
	mandatory := "5A08" + testPAN + "5F2403301231 8C039F3704 8D039F3704"
	rec := func(p1, p2 string, content string) [2]string {
		return [2]string{"00B2" + p1 + p2 + "00", hex.EncodeToString(sw(obj(tagRecord, content), 0x9000))}
	}
	raw := func(p1, p2 string, answer string) [2]string { return [2]string{"00B2" + p1 + p2 + "00", answer} }
	for _, c := range []struct {
		name, afl string
		pairs     [][2]string
		signed    string
		broken    bool
		err       error
	}{
		{"10.2 from left to right, in order of records", "10020301 08010100", [][2]string{rec("02", "14", mandatory), rec("03", "14", "9F42020156"), rec("01", "0C", "5F340101")}, mandatory, false, nil},
		{"10.2 the same file twice", "08010101 08020201", [][2]string{rec("01", "0C", mandatory), rec("02", "0C", "5F340101")}, mandatory + "5F340101", false, nil},
		{"10.2 the same record twice brings its objects twice", "08010100 08010100", [][2]string{rec("01", "0C", mandatory), rec("01", "0C", mandatory)}, "", false, ErrBadCard},
		{"6.3.6 the low bits of the SFI byte are not looked at", "0F010101", [][2]string{rec("01", "0C", mandatory)}, mandatory, false, nil},
		{"10.2 record 255", "08FFFF00", [][2]string{rec("FF", "0C", mandatory)}, "", false, nil},
		{"10.2 SFI 30", "08010100 F0010101", [][2]string{rec("01", "0C", mandatory), raw("01", "F4", "70005F9000")}, "70005F", true, nil},
		{"10.3 SFI 10 without, SFI 11 with tag and length", "50010101 58010101", [][2]string{rec("01", "54", mandatory), rec("01", "5C", "5F340101")}, mandatory + "7004" + "5F340101", false, nil},
		{"10.3 the first records of an entry are signed", "08010201", [][2]string{rec("01", "0C", mandatory), rec("02", "0C", "5F340101")}, mandatory, false, nil},
		{"10.3 a signed record of SFI 11 that is no template", "08010100 58010101", [][2]string{rec("01", "0C", mandatory), raw("01", "5C", "5F3401019000")}, "5F340101", true, nil},
		{"10.3 unknown objects are authenticated though not kept", "08010101", [][2]string{rec("01", "0C", mandatory+"DF010155 9F500100")}, mandatory + "DF010155 9F500100", false, nil},
		{"10.3 lengths that are not minimal are authenticated as sent", "08010101", [][2]string{rec("01", "0C", mandatory+"5F34820001 01")}, mandatory + "5F3482000101", false, nil},
		{"10.2 READ RECORD 6A83", "08010200", [][2]string{rec("01", "0C", mandatory), raw("02", "0C", "6A83")}, "", false, ErrBadCard},
		{"10.2 READ RECORD 6283 with data", "08010100", [][2]string{raw("01", "0C", "7000 6283")}, "", false, ErrBadCard},
		{"10.2 READ RECORD 6985 leads to no other application", "08010100", [][2]string{raw("01", "0C", "6985")}, "", false, ErrBadCard},
		{"an answer of 259 bytes", "08010100", [][2]string{raw("01", "0C", strings.Repeat("00", 257)+"9000")}, "", false, ErrBadCard},
		{"no answer", "08010100", [][2]string{raw("01", "0C", "")}, "", false, ErrBadCard},
		{"an answer of one byte", "08010100", [][2]string{raw("01", "0C", "90")}, "", false, ErrBadCard},
		{"7.1 a record as long as an answer can be", "08010101", [][2]string{rec("01", "0C", mandatory+strings.Repeat("00", 253-len(unhex(mandatory))))}, mandatory + strings.Repeat("00", 253-len(unhex(mandatory))), false, nil},
		{"templates sixty deep within a record are passed over", "08010100", [][2]string{rec("01", "0C", mandatory+nested(0x77, 60))}, "", false, nil},
		{"7.2 the PAN with the bit of a template is no PAN", "08010100", [][2]string{rec("01", "0C", "7A"+mandatory[2:])}, "", false, ErrBadCard},
		{"7.5 CDOL1 twice, with other contents", "08010200", [][2]string{rec("01", "0C", mandatory), rec("02", "0C", "8C039F0206")}, "", false, ErrBadCard},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := script(t, c.pairs...)
			s := ready(t, card)
			s.icc.Set(tagAFL, unhex(c.afl))
			err := s.readRecords(t.Context())
			card.done()
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err == nil && (!bytes.Equal(s.signed, unhex(c.signed)) || s.signedBroken != c.broken) {
				t.Errorf("authenticated: %X, broken %v; want %s, %v", s.signed, s.signedBroken, c.signed, c.broken)
			}
		})
	}
}

// Book 2, 5.1.1; Book 3, 10.3: the tag list may name the AIP and nothing else.
func TestTagListClauses(t *testing.T) {
	for _, c := range []struct {
		name string
		list string // "-" for none
		want string
		ok   bool
	}{
		{"no list", "-", "AABB", true},
		{"the AIP", "82", "AABB7D00", true},
		{"an empty list", "", "", false},
		{"the AIP twice", "8282", "", false},
		{"another object", "5A", "", false},
		{"the AIP and another object", "829F42", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := ready(t, script(t))
			s.signed, s.aip = unhex("AABB"), [2]byte{0x7D, 0}
			if c.list != "-" {
				s.icc.Set(tagSDATagList, unhex(c.list))
			}
			got, err := s.odaCard().StaticData()
			if ok := err == nil; ok != c.ok || ok && !bytes.Equal(got, unhex(c.want)) {
				t.Errorf("%X, %v; want %s, %v", got, err, c.want, c.ok)
			}
		})
	}
}

func TestRecordClauses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*chip)
		err    error
	}{
		{"7.2 all mandatory objects", func(*chip) {}, nil},
		{"7.2 no PAN", func(c *chip) { c.drop[tagPAN] = true }, ErrBadCard},
		{"7.2 no expiry", func(c *chip) { c.drop[tagExpiry] = true }, ErrBadCard},
		{"7.2 no CDOL1", func(c *chip) { c.drop[tagCDOL1] = true }, ErrBadCard},
		{"7.2 no CDOL2", func(c *chip) { c.drop[tagCDOL2] = true }, ErrBadCard},
		{"no track 2 is no error", func(c *chip) { c.drop[tagTrack2] = true }, nil},
		{"no PAN sequence number is no error", func(c *chip) { c.drop[tagPSN] = true }, nil},
		{"10.2 a data object twice", func(c *chip) { c.unsigned = obj(tagPSN, "01") }, ErrBadCard},
		{"10.2 an object of the FCI again", func(c *chip) { c.unsigned = obj(tagLabel, "4142") }, nil},
		{"10.2 a data object twice, in one record", func(c *chip) { c.unsigned = append(obj(tagPSN, "01"), obj(tagPSN, "01")...) }, ErrBadCard},
		{"10.2 an object twice that is not recognised", func(c *chip) { c.unsigned = append(obj(0xDF01, "01"), obj(0xDF01, "02")...) }, nil},
		{"7.5 an AIP in a record is not looked at", func(c *chip) { c.unsigned = obj(tagAIP, "0000") }, nil},
		{"7.5 an AFL in a record is not looked at", func(c *chip) { c.unsigned = obj(tagAFL, "00") }, nil},
		{"7.5 a PDOL in a record is not looked at", func(c *chip) { c.unsigned = obj(tagPDOL, "9F") }, nil},
		{"7.5 a cryptogram in a record is not looked at", func(c *chip) { c.unsigned = append(obj(tagAC, "00"), obj(tagCID, "40")...) }, nil},
		{"7.5 a malformed name is no error", func(c *chip) { c.set[0x5F20] = unhex("1B00FF") }, nil},
		{"7.5 malformed track 1 data are no error", func(c *chip) { c.set[0x9F1F] = unhex("FFFF") }, nil},
		{"a constructed object of the card's own", func(c *chip) { c.unsigned = unhex("BF7F0380FFFF") }, nil},
		{"7.5 PAN with letters", func(c *chip) { c.set[tagPAN] = unhex("620000000000000A") }, ErrBadCard},
		{"7.5 PAN of seven digits", func(c *chip) { c.set[tagPAN] = unhex("6200000F"); c.drop[tagTrack2] = true }, ErrBadCard},
		{"7.5 PAN of no digits", func(c *chip) { c.set[tagPAN] = nil }, ErrBadCard},
		{"7.5 PAN of twenty digits", func(c *chip) { c.set[tagPAN] = unhex("62000000000000000005"); c.drop[tagTrack2] = true }, ErrBadCard},
		{"7.5 PAN of eleven bytes", func(c *chip) { c.set[tagPAN] = unhex(testPAN + "FFFFFF") }, ErrBadCard},
		{"7.5 expiry in month 13", func(c *chip) { c.set[tagExpiry] = unhex("301331") }, ErrBadCard},
		{"7.5 expiry on day 0", func(c *chip) { c.set[tagExpiry] = unhex("301200") }, ErrBadCard},
		{"7.5 expiry with letters", func(c *chip) { c.set[tagExpiry] = unhex("30121A") }, ErrBadCard},
		{"7.5 expiry of two bytes", func(c *chip) { c.set[tagExpiry] = unhex("3012") }, ErrBadCard},
		{"7.5 effective date that is none", func(c *chip) { c.set[tagEffective] = unhex("000000") }, ErrBadCard},
		{"7.5 track 2 without separator", func(c *chip) { c.set[tagTrack2] = unhex(testPAN + "3012201F") }, ErrBadCard},
		{"7.5 track 2 with two separators", func(c *chip) { c.set[tagTrack2] = unhex(testPAN + "D3012D1F") }, ErrBadCard},
		{"7.5 track 2 with padding inside", func(c *chip) { c.set[tagTrack2] = unhex(testPAN + "DF0122FF") }, ErrBadCard},
		{"7.5 track 2 of twenty bytes", func(c *chip) { c.set[tagTrack2] = unhex(testPAN + "D30122011111111111111111") }, ErrBadCard},
		{"7.5 track 2 of another account", func(c *chip) { c.set[tagTrack2] = unhex("6200000000000013D301220F") }, ErrBadCard},
		{"7.5 PAN sequence number with letters", func(c *chip) { c.set[tagPSN] = unhex("0A") }, ErrBadCard},
		{"7.5 PAN sequence number of two bytes", func(c *chip) { c.set[tagPSN] = unhex("0001") }, ErrBadCard},
		{"7.5 usage control of one byte", func(c *chip) { c.set[tagAUC] = unhex("FF") }, ErrBadCard},
		{"7.5 issuer country of one byte", func(c *chip) { c.set[tagIssuerCountry] = unhex("56") }, ErrBadCard},
		{"7.5 action code of four bytes", func(c *chip) { c.set[tagIACOnline] = unhex("00000000") }, ErrBadCard},
		{"7.5 action code of no bytes", func(c *chip) { c.set[tagIACDefault] = nil }, ErrBadCard},
		{"7.5 a CDOL cut off", func(c *chip) { c.set[tagCDOL1] = unhex("9F02069F") }, ErrBadCard},
		{"7.5 a TDOL cut off", func(c *chip) { c.set[tagTDOL] = unhex("9F") }, ErrBadCard},
		{"7.5 an index of two bytes", func(c *chip) { c.set[tagCAIndex] = unhex("6161") }, ErrBadCard},
		{"a CDOL1 that asks for too much", func(c *chip) { c.set[tagCDOL1] = unhex("9AFF9AFF") }, ErrBadCard},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch := newChip()
			c.change(ch)
			s, err := start(t, ch)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err == nil && s.Outcome() != Online {
				t.Errorf("outcome %d", s.Outcome())
			}
		})
	}
}

func TestRecordsOfOtherFiles(t *testing.T) {
	for _, c := range []struct {
		name, record string
		sfi          byte
		signed       bool
		err          error
		broken       bool
		input        string
	}{
		{"SFI 10, signed: the contents of the template", "7003 9F1F00", 10, true, nil, false, "9F1F00"},
		{"SFI 10, not signed", "7003 9F1F00", 10, false, nil, false, ""},
		{"SFI 10, no template", "9F1F00", 10, false, ErrBadCard, false, ""},
		{"SFI 11, signed: the whole record", "7003 9F1F00", 11, true, nil, false, "70039F1F00"},
		{"SFI 11, signed, not a template: authentication will fail", "9F1F00", 11, true, nil, true, "9F1F00"},
		{"SFI 30, not signed, no TLV at all", "FF01020304", 30, false, nil, false, ""},
		{"SFI 1, zeros in front", "00 7003 9F1F00", 1, false, nil, false, ""},
		{"SFI 1, zeros in front, signed: they are data of the record", "00 7003 9F1F00", 1, true, nil, false, "009F1F00"},
		{"SFI 1, zeros behind, signed: they are data of the record", "7003 9F1F00 0000", 1, true, nil, false, "9F1F000000"},
		{"SFI 1, zeros inside, signed", "7006 00 9F1F00 00 00", 1, true, nil, false, "009F1F000000"},
		{"SFI 1, anything else behind", "7003 9F1F00 FF", 1, false, ErrBadCard, false, ""},
		{"SFI 1, anything else in front", "FF 7003 9F1F00", 1, false, ErrBadCard, false, ""},
		{"SFI 1, two templates", "7003 9F1F00 7003 9F2000", 1, false, ErrBadCard, false, ""},
		{"SFI 1, template 77", "7703 9F1F00", 1, true, ErrBadCard, false, ""},
		{"SFI 1, a length in two bytes, signed", "708103 9F1F00", 1, true, nil, false, "9F1F00"},
		{"SFI 1, a length in three bytes, signed", "70820003 9F1F00", 1, true, nil, false, "9F1F00"},
		{"SFI 1, a length in five bytes", "708400000003 9F1F00", 1, false, nil, false, ""},
		{"SFI 1, a length in six bytes", "70850000000003 9F1F00", 1, false, ErrBadCard, false, ""},
		{"SFI 1, a length without end", "7080 9F1F00 0000", 1, false, ErrBadCard, false, ""},
		{"SFI 1, a length beyond the record", "7004 9F1F00", 1, false, ErrBadCard, false, ""},
		{"SFI 1, a length far beyond the record", "7084FFFFFFFF 9F1F00", 1, false, ErrBadCard, false, ""},
		{"SFI 1, an object beyond its template", "7003 9F1F01", 1, false, ErrBadCard, false, ""},
		{"SFI 1, a tag without end", "7004 9F8181 81", 1, false, ErrBadCard, false, ""},
		{"SFI 1, an empty template", "7000", 1, true, nil, false, ""},
		{"SFI 11, zeros behind, signed: the whole record", "7003 9F1F00 00", 11, true, nil, false, "70039F1F0000"},
		{"SFI 11, empty, signed: authentication will fail", "", 11, true, nil, true, ""},
		{"SFI 11, broken inside, signed", "7003 9F1F01", 11, true, ErrBadCard, false, "70039F1F01"},
		{"SFI 1, empty", "", 1, false, ErrBadCard, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := ready(t, script(t))
			err := s.takeRecord(c.sfi, unhex(c.record), c.signed)
			if !errors.Is(err, c.err) || s.signedBroken != c.broken || !bytes.Equal(s.signed, unhex(c.input)) {
				t.Errorf("%v, broken %v, %X", err, s.signedBroken, s.signed)
			}
		})
	}
}

// 10.2: what is not recognised is not stored, however much of it a card has; neither is what belongs elsewhere (7.5).
func TestObjectsThatAreNotKept(t *testing.T) {
	s := ready(t, script(t))
	before := s.icc.Len()
	var b []byte
	for i := range 1000 {
		b = tlv.Append(b, tlv.Tag(0xDF8000|(i/128+1)<<8|i%128), nil)
	}
	if err := s.take(StepRecords, b, inRecord); err != nil || s.icc.Len() != before {
		t.Errorf("%d objects, %v", s.icc.Len(), err)
	}
	for _, o := range []struct {
		tag tlv.Tag
		rec bool // kept from a record
		gpo bool // kept from the answer to GPO
	}{
		{tagPAN, true, true},
		{tagCDOL1, true, true},
		{0x9F63, true, true}, // UnionPay: product identification
		{tagAIP, false, true},
		{tagAFL, false, true},
		{tagPDOL, false, false},
		{tagDFName, false, false},
		{tagLanguage, false, false},
		{tagPreferredName, false, false},
		{tagAC, false, false},
		{tagCID, false, false},
		{tagATC, false, false},
		{tagIAD, false, false},
		{tagSDAD, false, false},
		{tagPINTries, false, false},
		{tagLastOnlineATC, false, false},
		{tagICCDynamic, false, false},
		{tagDAC, false, false},
		{tagTVR, false, false},
		{tagARC, false, false},
		{tagScriptCommand, false, false},
		{tagScriptID, false, false},
		{0x89, false, false},
		{0x5F57, false, false},
		{0x99, false, false},
		{0xBF0C, false, false},
		{0x9F50, false, false}, // a payment system's own, not known here
		{0xDF01, false, false},
		{0xC1, false, false},
	} {
		for _, c := range []struct {
			want bool
			from []place
		}{{o.rec, []place{inRecord}}, {o.gpo, []place{inRecord, inGPO}}} {
			s := ready(t, script(t))
			if err := s.take(StepRecords, obj(o.tag, "0000"), c.from...); err != nil || s.icc.Has(o.tag) != c.want {
				t.Errorf("%s %s from %v: kept %v, %v", o.tag, tlv.Name(o.tag), c.from, s.icc.Has(o.tag), err)
			}
			err := s.take(StepRecords, obj(o.tag, "0000"), c.from...)
			if (err != nil) != c.want {
				t.Errorf("%s %s again: %v", o.tag, tlv.Name(o.tag), err)
			}
		}
	}
}

func TestDates(t *testing.T) {
	for _, c := range []struct {
		in   string
		want date
	}{{"491231", 20491231}, {"500101", 19500101}, {"000101", 20000101}, {"991231", 19991231}, {"240229", 20240229}} {
		if d, err := parseDate(unhex(c.in)); d != c.want || err != nil {
			t.Errorf("%s = %d, %v", c.in, d, err)
		}
	}
}
