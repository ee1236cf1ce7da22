package emv

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// unionPayAID is a download block as UnionPay's hosts send it.
const unionPayAID = "9F0608A000000333010101 DF010100 9F08020020 DF1105D84000A800 DF1205D84004F800 DF13050010000000 9F1B040000C350" +
	" DF150400001388 DF160180 DF170120 DF14039F3704 DF180101 9F7B06000000100000 DF1906000000200000 DF2006000000300000 DF2106000000400000"

func TestAIDParametersOfADownload(t *testing.T) {
	p, err := ParseAIDParameters(unhex(unionPayAID))
	if err != nil {
		t.Fatal(err)
	}
	if hexString(p.AID) != "A000000333010101" || !p.Partial || p.Version != [2]byte{0x00, 0x20} ||
		hexString(p.TACDefault[:]) != "D84000A800" || hexString(p.TACOnline[:]) != "D84004F800" || hexString(p.TACDenial[:]) != "0010000000" ||
		p.FloorLimit != 50000 || p.Threshold != 5000 || p.MaxTargetPercent != 80 || p.TargetPercent != 20 ||
		hexString(p.DDOL) != "9F3704" || p.NoOnlinePIN || p.TDOL != nil {
		t.Errorf("%+v", p.Application)
	}
	if p.ECashLimit != 100000 || p.ContactlessFloor != 200000 || p.ContactlessLimit != 300000 || p.ContactlessCVMLimit != 400000 {
		t.Errorf("%+v", p)
	}
}

func TestAIDParametersClauses(t *testing.T) {
	const least = "9F0605A000000333 9F09020096 DF11050000000001 DF12050000000002 DF13050000000003 9F1B0400000000"
	without := func(object string) string { return strings.Replace(unionPayAID, object, "", 1) }
	with := func(old, object string) string { return strings.Replace(unionPayAID, old, object, 1) }
	for _, c := range []struct {
		name, block string
		want        func(AIDParameters) bool // nil: refused with the error
		err         string
	}{
		{"the least of it", least, func(p AIDParameters) bool {
			return p.Partial && p.Version == [2]byte{0x00, 0x96} && p.TACDefault[4] == 1 && p.TACOnline[4] == 2 && p.TACDenial[4] == 3 &&
				p.FloorLimit == 0 && p.DDOL == nil && p.ECashLimit == -1 && p.ContactlessFloor == -1 && p.ContactlessLimit == -1 && p.ContactlessCVMLimit == -1
		}, ""},
		{"DF01: the whole name", with("DF010100", "DF010101"), func(p AIDParameters) bool { return !p.Partial }, ""},
		{"DF01: neither", with("DF010100", "DF010102"), nil, "DF01 at offset 11"},
		{"DF18: no online PIN", with("DF180101", "DF180100"), func(p AIDParameters) bool { return p.NoOnlinePIN }, ""},
		{"9F09 counts before 9F08", unionPayAID + "9F09020030", func(p AIDParameters) bool { return p.Version == [2]byte{0x00, 0x30} }, ""},
		{"a threshold above the floor limit: no bias", with("DF150400001388", "DF15040000FFFF"), func(p AIDParameters) bool { return p.Threshold == 50000 }, ""},
		{"a maximum below the target is the target", with("DF160180", "DF160110"), func(p AIDParameters) bool { return p.MaxTargetPercent == 20 }, ""},
		{"an empty default DDOL is none", with("DF14039F3704", "DF1400"), func(p AIDParameters) bool { return p.DDOL == nil }, ""},
		{"unknown objects are passed over", unionPayAID + "DF72020102", func(p AIDParameters) bool { return p.FloorLimit == 50000 }, ""},
		{"padding between objects", strings.ReplaceAll(unionPayAID, " ", "00"), func(p AIDParameters) bool { return p.FloorLimit == 50000 }, ""},
		{"the floor limit is binary, all four bytes of it", with("9F1B040000C350", "9F1B04FFFFFFFF"), func(p AIDParameters) bool { return p.FloorLimit == 4294967295 }, ""},

		{"no AID", without("9F0608A000000333010101"), nil, "9F06 at offset 0: application: is missing"},
		{"AID of four bytes", with("9F0608A000000333010101", "9F0604A0000003"), nil, "9F06 at offset 0: application: has 4 bytes"},
		{"AID of seventeen bytes", with("9F0608A000000333010101", "9F0611"+strings.Repeat("A0", 17)), nil, "has 17 bytes"},
		{"no version", without("9F08020020"), nil, "9F08 at offset 0: application: is missing"},
		{"no default action code", without("DF1105D84000A800"), nil, "DF11"},
		{"online action code of four bytes", with("DF1205D84004F800", "DF1204D84004F8"), nil, "DF12 at offset 28: application: has 4 bytes"},
		{"no denial action code", without("DF13050010000000"), nil, "DF13"},
		{"no floor limit", without("9F1B040000C350"), nil, "9F1B"},
		{"floor limit of six bytes", with("9F1B040000C350", "9F1B06000000000500"), nil, "9F1B"},
		{"percentage that is no number", with("DF170120", "DF17011A"), nil, "DF17"},
		{"percentage of two bytes", with("DF160180", "DF16020080"), nil, "DF16"},
		{"electronic cash limit that is no number", with("9F7B06000000100000", "9F7B0600000010000A"), nil, "9F7B"},
		{"DDOL without 9F37", with("DF14039F3704", "DF14029A03"), nil, "ddol"},
		{"DDOL cut off", with("DF14039F3704", "DF14029F37"), nil, "ddol"},
		{"twice the same", unionPayAID + "DF010101", nil, "DF01 at offset"},
		{"cut off", unionPayAID[:len(unionPayAID)-2], nil, "length 6"},
		{"indefinite length", "9F0680", nil, "indefinite length"},
		{"nothing", "", nil, "9F06"},
		{"a block without end", unionPayAID + "DF508203E8" + strings.Repeat("00", 1000), nil, "at most 1024"},
		{"objects without end", unionPayAID + manyObjects(), nil, "more than 64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := ParseAIDParameters(unhex(c.block))
			if c.want != nil {
				if err != nil || !c.want(p) {
					t.Errorf("%+v, %v", p, err)
				}
				return
			}
			var pe *ParameterError
			if !errors.Is(err, ErrConfig) || !errors.As(err, &pe) || !strings.Contains(err.Error(), c.err) || p.AID != nil {
				t.Errorf("%v, want %q", err, c.err)
			}
		})
	}
}

func manyObjects() string {
	var b []byte
	for i := range 64 {
		b = append(b, 0xDF, 0x30+byte(i), 0x00)
	}
	return hexString(b)
}

// keyBlock is a download block of a published key.
func keyBlock(t testing.TB, n int) string {
	e := capk(t)[n]
	return "9F0605" + e.RID + "9F2201" + e.Index + "DF0508" + hexString([]byte("20301231")) + "DF060101DF070101" +
		hexString(obj(dlModulus, e.Modulus)) + hexString(obj(dlExponent, e.Exponent)) + hexString(obj(dlChecksum, e.SHA1))
}

// Every published key, live and test, can be had by a download.
func TestPublishedKeysByDownload(t *testing.T) {
	for i, e := range capk(t) {
		p, err := ParseCAKey(unhex(keyBlock(t, i)))
		if err != nil || hexString(p.RID[:]) != strings.ToUpper(e.RID) || p.Index != unhex(e.Index)[0] || p.Bits() != 4*len(e.Modulus) ||
			!p.Expiry.Equal(time.Date(2030, 12, 31, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s %s: %d bits, %v, %v", e.RID, e.Index, p.Bits(), p.Expiry, err)
		}
	}
}

func TestCAKeyClauses(t *testing.T) {
	block := keyBlock(t, 0)
	e := capk(t)[0]
	with := func(old, object string) string {
		if !strings.Contains(block, old) {
			t.Fatal(old)
		}
		return strings.Replace(block, old, object, 1)
	}
	expiry := "DF0508" + hexString([]byte("20301231"))
	for _, c := range []struct {
		name, block, err string
		expiry           string
	}{
		{"expiry of four bytes", with(expiry, "DF050420291231"), "", "2029-12-31"},
		{"no expiry", with(expiry, ""), "", "0001-01-01"},
		{"no algorithms named", with("DF060101DF070101", ""), "", "2030-12-31"},
		{"expiry that is no date", with(expiry, "DF050420301331"), "DF05", ""},
		{"expiry of six bytes", with(expiry, "DF0506203012310000"), "DF05", ""},
		{"expiry that is no number", with(expiry, "DF05082030123141414141"), "DF05", ""},
		{"another hash", with("DF060101", "DF060102"), "DF06 at offset 23", ""},
		{"another algorithm", with("DF070101", "DF070104"), "DF07 at offset 27", ""},
		{"a RID of eight bytes", with("9F0605"+e.RID, "9F0608"+e.RID+"010101"), "9F06 at offset 0", ""},
		{"no index", with("9F2201"+e.Index, ""), "9F22", ""},
		{"no modulus", with(hexString(obj(dlModulus, e.Modulus)), ""), "DF02", ""},
		{"no exponent", with(hexString(obj(dlExponent, e.Exponent)), ""), "DF04", ""},
		{"no checksum", with(hexString(obj(dlChecksum, e.SHA1)), ""), "DF03", ""},
		{"another checksum", with(strings.ToUpper(e.SHA1[:8]), "00000000"), "checksum", ""},
		{"another index", with("9F2201"+e.Index, "9F2201FE"), "checksum", ""},
		{"a modulus of 257 bytes", with(hexString(obj(dlModulus, e.Modulus)), hexString(obj(dlModulus, make([]byte, 257)))), "DF02", ""},
		{"an exponent of four bytes", with(hexString(obj(dlExponent, e.Exponent)), "DF040400000003"), "DF04", ""},
		{"twice the same", block + "DF060101", "comes twice", ""},
		{"cut off", block[:len(block)-2], "length 20", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := ParseCAKey(unhex(c.block))
			if c.err == "" {
				if err != nil || p.Bits() != 1024 || p.Expiry.Format(time.DateOnly) != c.expiry {
					t.Errorf("%d bits, %v, %v", p.Bits(), p.Expiry, err)
				}
				return
			}
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.err) || p.Bits() != 0 {
				t.Errorf("%v, want %q", err, c.err)
			}
			if err != nil && strings.Contains(strings.ToUpper(err.Error()), strings.ToUpper(e.Modulus[:16])) {
				t.Error("the error quotes the key")
			}
		})
	}
}

func TestADownloadFillsTheTables(t *testing.T) {
	cfg := testConfig()
	old := cfg.Applications[0]
	old.Types, old.NoPINBypass, old.TerminalType = []byte{0x00}, true, 0x21
	cfg.Applications[0] = old
	p, err := ParseAIDParameters(unhex(unionPayAID))
	if err != nil {
		t.Fatal(err)
	}
	got := cfg.WithApplication(p)
	a := got.Applications[0]
	if len(got.Applications) != 1 || a.FloorLimit != 50000 || a.Name != old.Name || !bytes.Equal(a.TDOL, old.TDOL) || len(a.Types) != 1 || !a.NoPINBypass || a.TerminalType != 0x21 {
		t.Errorf("%+v", a)
	}
	if cfg.Applications[0].FloorLimit != 0 {
		t.Error("the parameters that a kernel may use have changed")
	}
	p.DDOL = nil
	if d := cfg.WithApplication(p).Applications[0].DDOL; !bytes.Equal(d, old.DDOL) {
		t.Errorf("a download without DDOL leaves %X", d)
	}
	p.AID = unhex("A0000000031010")
	if got = got.WithApplication(p); len(got.Applications) != 2 || got.Check() != nil {
		t.Errorf("%d applications, %v", len(got.Applications), got.Check())
	}
	k, err := ParseCAKey(unhex(keyBlock(t, 0)))
	if err != nil {
		t.Fatal(err)
	}
	n := len(cfg.CAKeys)
	got = cfg.WithCAKey(k).WithCAKey(k)
	if len(got.CAKeys) != n+1 || len(cfg.CAKeys) != n || got.Check() != nil || !hasCAKey(got, k.RID[:], k.Index) {
		t.Errorf("%d keys, %v", len(got.CAKeys), got.Check())
	}
	// What was downloaded is what the kernel then works with.
	ch := newChip()
	ch.ca, ch.aip = "", "0800"
	cfg.Applications[0].TerminalType = 0
	s, err := New(cfg.WithApplication(mustAID(t))).Start(t.Context(), ch, testRequest(), &person{})
	if err != nil || tvrFloorLimit.in(s.tvr[:]) {
		t.Errorf("123.45 against a floor limit of 500.00: %v", err)
	}
}

func mustAID(t *testing.T) AIDParameters {
	p, err := ParseAIDParameters(unhex(unionPayAID))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// FuzzDownload gives the parsers of downloads arbitrary blocks: they end, without a panic, in parameters that pass the checks, or in a
// typed error.
func FuzzDownload(f *testing.F) {
	f.Add(unhex(unionPayAID))
	f.Add(unhex(keyBlock(f, 0)))
	f.Add([]byte(nil))
	f.Add(unhex("9F0680"))
	f.Add(unhex("DF0284FFFFFFFF"))
	f.Add(bytes.Repeat([]byte{0x1F}, 300))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseAIDParameters(b)
		if err == nil {
			cfg := testConfig().WithApplication(p)
			if e := cfg.check(); e != nil {
				t.Fatal(e)
			}
		} else if !errors.Is(err, ErrConfig) {
			t.Fatal(err)
		}
		k, err := ParseCAKey(b)
		if err == nil && (k.Bits() == 0 || len(b) < 5+1+20) || err != nil && !errors.Is(err, ErrConfig) {
			t.Fatal(err)
		}
	})
}
