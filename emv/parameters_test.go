package emv

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestShippedParameters(t *testing.T) {
	cfg, err := LoadParametersFile("../etc/emv.toml")
	if err != nil {
		t.Fatal(err)
	}
	k := New(cfg)
	for _, aid := range []string{"A000000333010101", "A000000333010102", "A000000333010103", "A0000000031010", "A0000000041010"} {
		if a := k.match(unhex(aid)); a == nil || !strings.EqualFold(hexString(a.AID), aid) {
			t.Errorf("no application %s", aid)
		}
	}
	// Every key that ships is a published live key; a test key never does.
	live := map[string]bool{}
	for _, e := range capk(t) {
		if strings.Contains(e.Note, "live") {
			live[strings.ToUpper(e.RID+e.Index)] = true
		}
	}
	if len(cfg.CAKeys) != 7 {
		t.Errorf("%d keys", len(cfg.CAKeys))
	}
	for _, key := range cfg.CAKeys {
		if id := hexString(append(key.RID[:], key.Index)); !live[id] {
			t.Errorf("%s is no live key", id)
		}
	}
}

const minimal = `[terminal]
country = 156
type = "21"
capabilities = "E068C8"
additional_capabilities = "6000F0B001"
`

const oneApp = `[[application]]
aid = "A000000333010101"
tac_denial = "0010000000"
`

func TestParameterErrors(t *testing.T) {
	e := capk(t)[0]
	key := "[[ca_key]]\nrid = \"" + e.RID + "\"\nindex = \"" + e.Index + "\"\nexponent = \"" + e.Exponent + "\"\nmodulus = \"" + e.Modulus + "\"\nsha1 = \"" + e.SHA1 + "\"\n"
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", minimal + "colour = 1\n", "line 6, column 1: unknown key terminal.colour"},
		{"unknown table", minimal + "[printer]\nx = 1\n", "line 6"},
		{"unknown key of an application", minimal + oneApp + "tac = \"00\"\n", "line 9, column 1: unknown key application.tac"},
		{"not TOML", "[terminal", "line 1"},
		{"a table of an array that has not begun", "[[application.x]]\n", "not TOML"},
		{"odd hex", strings.Replace(minimal, "E068C8", "E068C", 1), "line 4"},
		{"not hex", strings.Replace(minimal, "E068C8", "E068CG", 1), "line 4"},
		{"capabilities too short", strings.Replace(minimal, "E068C8", "E068", 1), "2 bytes where 3 are wanted"},
		{"a string where a number belongs", strings.Replace(minimal, "156", "\"156\"", 1), "line 2"},
		{"country beyond sixteen bits", strings.Replace(minimal, "156", "65692", 1), "terminal.country"},
		{"country of four digits", strings.Replace(minimal, "156", "1560", 1), "terminal.country"},
		{"terminal type that is none", strings.Replace(minimal, "\"21\"", "\"27\"", 1), "terminal.type"},
		{"no terminal", oneApp, "terminal.type"},
		{"IFD serial of five characters", minimal + "ifd_serial = \"12345\"\n", "terminal.ifd_serial"},
		{"category with letters", minimal + "category = \"54AB\"\n", "terminal.category"},
		{"acquirer of twelve digits", minimal + "acquirer_id = \"123456789012\"\n", "terminal.acquirer_id"},
		{"AID of four bytes", minimal + strings.Replace(oneApp, "333010101", "3", 1) + "", "AID has"},
		{"AID twice", minimal + oneApp + oneApp, "occurs twice"},
		{"negative floor limit", minimal + oneApp + "floor_limit = -1\n", "floor_limit"},
		{"floor limit of five bytes", minimal + oneApp + "floor_limit = 4294967296\n", "floor_limit"},
		{"threshold above the floor limit", minimal + oneApp + "floor_limit = 1\nthreshold = 2\n", "threshold"},
		{"target of 100", minimal + oneApp + "target_percent = 100\nmax_target_percent = 100\n", "target_percent"},
		{"maximum below the target", minimal + oneApp + "target_percent = 50\nmax_target_percent = 49\n", "max_target_percent"},
		{"DDOL without 9F37", minimal + oneApp + "ddol = \"9A03\"\n", "9F37"},
		{"DDOL cut off", minimal + oneApp + "ddol = \"9F37\"\n", "ddol"},
		{"TDOL cut off", minimal + oneApp + "tdol = \"9F\"\n", "tdol"},
		{"checksum", minimal + strings.Replace(key, e.SHA1[:4], "0000", 1), "checksum"},
		{"key twice", minimal + key + key, "occurs twice"},
		{"serial of two bytes", minimal + "[[revoked]]\nrid = \"A000000003\"\nindex = \"01\"\nserial = \"0001\"\n", "line 9"},
		{"endless", minimal + "#" + strings.Repeat("x", maxParameters), "more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := LoadParameters(strings.NewReader(c.text))
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	cfg, err := LoadParameters(strings.NewReader(minimal + oneApp + key + "[[revoked]]\nrid = \"A000000003\"\nindex = \"01\"\nserial = \"000102\"\n"))
	if err != nil || len(cfg.Applications) != 1 || len(cfg.CAKeys) != 1 || cfg.CAKeys[0].Bits() != 1024 || len(cfg.Revoked) != 1 || cfg.Revoked[0] != (Revoked{RID: [5]byte(unhex("A000000003")), Index: 1, Serial: [3]byte{0, 1, 2}}) {
		t.Errorf("%+v, %v", cfg, err)
	}
	if _, err := LoadParametersFile("testdata/none.toml"); !errors.Is(err, ErrConfig) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestKeysNotMadeByNewCAKey(t *testing.T) {
	cfg := testConfig()
	cfg.CAKeys = append(cfg.CAKeys, CAKey{RID: testRID, Index: 1})
	if err := cfg.Check(); !errors.Is(err, ErrConfig) {
		t.Errorf("error %v", err)
	}
}
