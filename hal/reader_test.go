package hal_test

import (
	"strings"
	"testing"

	"posd/hal"
	"posd/hal/ccid"
)

// TestReaderSection: what a profile can do, what is taken when nothing is said, and what is refused.
func TestReaderSection(t *testing.T) {
	for _, c := range []struct {
		name, section string
		level, pin    string
		want          string // part of the error
	}{
		{"nothing said", "", "tpdu", "none", ""},
		{"GemPCTwin", `profile = "GemPCTwin"`, "tpdu", "none", ""},
		{"GemPCPinPad", `profile = "GemPCPinPad"`, "tpdu", "plain", ""},
		{"PosdPINPad", `profile = "PosdPINPad"`, "apdu", "enciphered", ""},
		{"a keypad that is not to be used", "profile = \"GemPCPinPad\"\npin_entry = \"none\"", "tpdu", "none", ""},
		{"less than it can", "profile = \"PosdPINPad\"\npin_entry = \"plain\"", "apdu", "plain", ""},
		{"APDU level", "profile = \"GemPCTwin\"\nlevel = \"apdu\"", "apdu", "none", ""},
		{"no keypad", `pin_entry = "plain"`, "", "", `reader.pin_entry: a GemCorePOSPro cannot do "plain": "none" is its most`},
		{"cannot encipher", "profile = \"GemPCPinPad\"\npin_entry = \"enciphered\"", "", "", `reader.pin_entry: a GemPCPinPad cannot do "enciphered"`},
		{"unknown use", `pin_entry = "online"`, "", "", `reader.pin_entry: "online" is not one of none, plain, enciphered`},
		{"unknown level", `level = "t1"`, "", "", `reader.level: "t1" is not one of tpdu, apdu`},
		{"no TPDU level", "profile = \"PosdPINPad\"\nlevel = \"tpdu\"", "", "", `reader.level: a PosdPINPad works at "apdu" only`},
		{"unknown profile", `profile = "SPR532"`, "", "", `reader.profile: "SPR532" is not one of`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := hal.ParseBoard("b.toml", []byte(minimal+"[reader]\ndriver = \"ccid-serial\"\nport = \"/dev/r\"\n"+c.section+"\n"))
			switch {
			case c.want != "":
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), "\n") > 0 {
					t.Errorf("%v, want %s", err, c.want)
				}
			case err != nil:
				t.Error(err)
			case b.Reader.Level != c.level || b.Reader.PINEntry != c.pin:
				t.Errorf("%+v", b.Reader)
			case string(ccid.Profile(b.Reader.Profile).PINEntry()) != c.pin && !strings.Contains(c.section, "pin_entry"):
				t.Errorf("the driver of a %s does %s", b.Reader.Profile, ccid.Profile(b.Reader.Profile).PINEntry())
			}
		})
	}
}
