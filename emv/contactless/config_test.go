package contactless

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"posd/emv"
)

func TestLoadParameters(t *testing.T) {
	contact := emv.Config{Terminal: testTerminal(), CAKeys: make([]emv.CAKey, 1), Revoked: make([]emv.Revoked, 2)}
	cfg, err := LoadParametersFile("testdata/contactless.toml", contact)
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Combinations) != 4 || cfg.Restarts != 5 || cfg.UpdateWait != 15*time.Second || cfg.Choice != ChoicePriority || cfg.Defaults != nil ||
		cfg.Terminal.Country != 156 || len(cfg.CAKeys) != 1 || len(cfg.Revoked) != 2 {
		t.Errorf("%+v", cfg)
	}
	v := cfg.Combinations[2]
	if v.Name != "Visa" || v.Kernel != 3 || !v.NeedTTQ || *v.TTQ != [4]byte{0x36, 0, 0x40, 0} || *v.Limits[0x20].CVM != 100001 || v.Limits[0x00].TermFloor != nil ||
		v.App.Version != [2]byte{0, 0x96} {
		t.Errorf("%+v", v)
	}
	m := cfg.Combinations[3]
	if m.TTQ != nil || !bytes.Equal(m.Data[0xDF8126], unhex("000000100000")) || m.App.TACOnline != [5]byte{0xFC, 0x50, 0x9C, 0x88, 0} || m.Limits[0].Transaction != nil {
		t.Errorf("%+v", m)
	}
}

const (
	head   = "[[contactless]]\naid = \"A0000000031010\"\nkernel = \"03\"\n"
	limits = "[[contactless.limits]]\ntypes = \"00\"\n"
)

func TestLoadEveryKey(t *testing.T) {
	cfg, err := LoadParameters(strings.NewReader(`
[entry_point]
choice = "cardholder"
restarts = 2
update_wait = 30
[[default_kernel]]
rid = "A000000333"
kernel = "07"
[[default_kernel]]
rid = "B012345678"
kernel = "810978"
[[contactless]]
aid = "A0 00 00 00 03"
name = "Visa"
kernel = "810978"
ttq = "36004000"
pdol_needs_ttq = true
extended_selection = true
version = "0096"
tac_denial = "0000000001"
tac_online = "0000000002"
tac_default = "0000000003"
terminal_type = "21"
capabilities = "E060C8"
additional_capabilities = "6000F0B001"
limits = [{types = "00 09", transaction = 4, cvm = 3, floor = 2, terminal_floor = 1, status_check = true, zero_allowed = false, zero_offline = true}]
data = {9F53 = "52", DF811B = ""}
`), emv.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c := cfg.Combinations[0]
	l := c.Limits[0x09]
	for i, ok := range []bool{
		cfg.Choice == ChoiceCardholder, cfg.Restarts == 2, cfg.UpdateWait == 30*time.Second, len(cfg.Defaults) == 2, cfg.Defaults[1].Kernel == 0x810978,
		cfg.Defaults[0].RID == [5]byte(unhex("A000000333")), len(c.AID) == 5, c.Kernel == 0x810978, c.NeedTTQ, c.Extended, c.App.TACDenial[4] == 1, c.App.TACOnline[4] == 2,
		c.App.TACDefault[4] == 3, c.App.TerminalType == 0x21, c.App.Capabilities[1] == 0x60, c.App.Additional[3] == 0xB0, *l.Transaction == 4, *l.CVM == 3, *l.Floor == 2,
		*l.TermFloor == 1, l.StatusCheck, !*l.ZeroAllowed, l.ZeroOffline, len(c.Limits) == 2, len(c.Data) == 2, c.Data[0xDF811B] != nil, c.Data[0x9F53][0] == 0x52,
	} {
		if !ok {
			t.Errorf("%d: %+v", i, cfg)
		}
	}
}

func TestParametersAreStrict(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"an unknown key", head + limits + "ceiling = 1\n", "line 6, column 1: unknown key contactless.limits.ceiling"},
		{"an unknown table", "[terminal]\n", "unknown key terminal"},
		{"not TOML", "[[contactless]\n", "line 1"},
		{"limits before their combination", limits + head, "a table stands before the one that it belongs to"},
		{"a kernel of two bytes", "[[contactless]]\nkernel = \"0102\"\n", "line 2"},
		{"a kernel of zero", "[[contactless]]\naid = \"A0000000031010\"\nkernel = \"00\"\n" + limits, "line 3: contactless A0000000031010.kernel: is not the number"},
		{"a domestic kernel without a short identifier", "[[contactless]]\naid = \"A0000000031010\"\nkernel = \"800978\"\n" + limits, "line 3: contactless A0000000031010.kernel"},
		{"a domestic kernel of one byte", "[[contactless]]\naid = \"A0000000031010\"\nkernel = \"81\"\n" + limits, "line 3: contactless A0000000031010.kernel"},
		{"no kernel", "[[contactless]]\naid = \"A0000000031010\"\n" + limits, "line 1: contactless A0000000031010.kernel"},
		{"no AID", "[[contactless]]\nkernel = \"03\"\n" + limits, "line 1: contactless 1.aid: an AID has 5 to 16 bytes, not 0"},
		{"an AID of four bytes", "[[contactless]]\nkernel = \"03\"\naid = \"A0000000\"\n" + limits, "line 3: contactless A0000000.aid"},
		{"an AID that is no hex", "[[contactless]]\naid = \"VISA\"\n", "line 2"},
		{"a TTQ of three bytes", head + "ttq = \"360040\"\n" + limits, "line 4"},
		{"9F66 demanded and not there", head + "pdol_needs_ttq = true\n" + limits, "contactless A0000000031010.ttq"},
		{"no limits: no transaction type", head, "line 1: contactless A0000000031010.limits"},
		{"limits without types", head + "[[contactless.limits]]\nfloor = 1\n", "line 4: contactless.limits A0000000031010.types"},
		{"a type that is no digits", head + "[[contactless.limits]]\ntypes = \"0A\"\n", "line 5: contactless.limits A0000000031010.types: 0A is not two digits"},
		{"a type twice", head + limits + limits, "line 7: contactless.limits A0000000031010.types: 00 occurs twice"},
		{"a type twice in one table", head + "[[contactless.limits]]\ntypes = \"0000\"\n", "line 5: contactless.limits"},
		{"a negative limit", head + limits + "floor = -1\n", "line 6: contactless.limits A0000000031010.floor: -1"},
		{"a limit of thirteen digits", head + limits + "cvm = 1000000000000\n", "line 6: contactless.limits A0000000031010.cvm"},
		{"a limit of the second combination", head + limits + "[[contactless]]\naid = \"A0000000041010\"\nkernel = \"02\"\n" + limits + "transaction = -1\n", "line 11: contactless.limits A0000000041010.transaction"},
		{"a limit with a fraction", head + limits + "floor = 1.5\n", "line 6"},
		{"a tag that is no hex", head + limits + "[contactless.data]\nVISA = \"00\"\n", `contactless A0000000031010.data: "VISA" is not a tag`},
		{"a tag that is none", head + limits + "[contactless.data]\n9F = \"00\"\n", "contactless A0000000031010.data: 9F is not the tag"},
		{"a tag of a template", head + limits + "[contactless.data]\n70 = \"00\"\n", "contactless A0000000031010.data: 70"},
		{"a tag twice", head + limits + "[contactless.data]\ndf8117 = \"00\"\nDF8117 = \"01\"\n", "contactless A0000000031010.data: DF8117 occurs twice"},
		{"9F66 as data", head + limits + "[contactless.data]\n9F66 = \"36004000\"\n", "contactless A0000000031010.data: 9F66"},
		{"data of 253 bytes", head + limits + "[contactless.data]\nDF8117 = \"" + strings.Repeat("00", 253) + "\"\n", "contactless A0000000031010.data: DF8117 has 253 bytes"},
		{"a combination twice", head + limits + head + limits, "line 7: contactless A0000000031010.aid: occurs twice with this kernel"},
		{"a name with control characters", head + "name = \"a\\u001bb\"\n" + limits, "line 4: contactless A0000000031010.name"},
		{"a RID twice", strings.Repeat("[[default_kernel]]\nrid = \"A000000003\"\nkernel = \"03\"\n", 2), "line 5: default_kernel A000000003.rid: occurs twice"},
		{"a default kernel of zero", "[[default_kernel]]\nrid = \"A000000003\"\n", "line 1: default_kernel A000000003.kernel"},
		{"a choice that is none", "[entry_point]\nchoice = \"merchant\"\n", "line 2: entry_point.choice"},
		{"restarts without end", "[entry_point]\nrestarts = 21\n", "line 2: entry_point.restarts"},
		{"a wait of an hour", "[entry_point]\nupdate_wait = 3600\n", "line 2: entry_point.update_wait"},
		{"a wait below zero", "[entry_point]\nupdate_wait = -1\n", "line 2"},
		{"too many combinations", strings.Repeat(head+limits, 65), "contactless 65: 65 combinations"},
		{"too long a file", strings.Repeat("#", maxParameters+1), "more than 1048576 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := LoadParameters(strings.NewReader(c.in), emv.Config{})
			if !errors.Is(err, emv.ErrConfig) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
	if _, err := LoadParametersFile("testdata/none.toml", emv.Config{}); !errors.Is(err, emv.ErrConfig) || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestOneAIDWithTwoKernels(t *testing.T) {
	in := head + limits + strings.Replace(head, "03\"\n", "02\"\n", 1) + limits
	cfg, err := LoadParameters(strings.NewReader(in), emv.Config{})
	if err != nil || len(cfg.Combinations) != 2 {
		t.Error(err)
	}
}

// UnionPay's download: DF19 floor, DF20 transaction limit, DF21 CVM limit.
func TestDownload(t *testing.T) {
	block := slices.Concat(obj(0x9F06, unionPay), obj(0xDF01, "00"), obj(0x9F08, "0030"), obj(0xDF11, "D84000A800"), obj(0xDF12, "D84004F800"),
		obj(0xDF13, "0010000000"), obj(0x9F1B, "00000000"), obj(0xDF19, "000000000000"), obj(0xDF20, "000000500000"), obj(0xDF21, "000000100001"))
	p, err := emv.ParseAIDParameters(block)
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	d.cfg.Combinations[2].Limits = map[byte]Limits{0x00: {CVM: limit(1), StatusCheck: true}, 0x20: {Transaction: limit(7)}}
	d.cfg.Combinations[2].App.TerminalType = 0x21
	before := d.cfg.Combinations
	if n := d.cfg.Download(p); n != 1 {
		t.Errorf("%d combinations", n)
	}
	c := d.cfg.Combinations[2]
	for _, typ := range []byte{0x00, 0x20} {
		if l := c.Limits[typ]; *l.Floor != 0 || *l.Transaction != 500000 || *l.CVM != 100001 || l.StatusCheck != (typ == 0) {
			t.Errorf("%02X: %+v", typ, l)
		}
	}
	if c.App.TACOnline != p.TACOnline || c.App.Version != [2]byte{0, 0x30} || c.App.TerminalType != 0x21 || c.Kernel != 7 {
		t.Errorf("%+v", c.App)
	}
	if l := before[2].Limits[0x00]; *l.CVM != 1 || l.Floor != nil || before[2].App.Version == c.App.Version {
		t.Error("what an Entry Point may use was changed")
	}
	if d.cfg.Combinations[0].Limits[0].Floor != nil {
		t.Error("another combination was changed")
	}
	p.ContactlessLimit, p.ContactlessFloor, p.ContactlessCVMLimit = -1, -1, 5
	d.cfg.Download(p)
	if l := d.cfg.Combinations[2].Limits[0]; *l.Floor != 0 || *l.Transaction != 500000 || *l.CVM != 5 {
		t.Errorf("limits that the download does not have: %+v", l)
	}
	p.AID = unhex("A000000333010106")
	if n := d.cfg.Download(p); n != 0 {
		t.Errorf("%d combinations", n)
	}
	if d.field = []any{cardOf([][]byte{entry61(unionPay)}, unionPay)}; true {
		if _, err := d.run(); err != nil {
			t.Fatal(err)
		}
		if a := d.kernels[7].seen[0]; !a.Indicators.CVMExceeded || !a.Indicators.FloorExceeded || a.Indicators.TTQ != [4]byte{0x36, 0xC0, 0x40, 0x80} {
			t.Errorf("%+v", a.Indicators)
		}
	}
}

func TestOffers(t *testing.T) {
	d := newDesk(t)
	e := d.entryPoint()
	if !e.Offers(0x00) || e.Offers(0x20) {
		t.Error("wrong")
	}
	d.cfg.Restarts = -1
	if d.entryPoint().Offers(0x00) {
		t.Error("with parameters that cannot be used")
	}
}
