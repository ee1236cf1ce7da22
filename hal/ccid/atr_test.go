package ccid

import (
	"errors"
	"testing"
)

func TestATR(t *testing.T) {
	for _, c := range []struct {
		name, atr string
		warm      bool
		t         int    // protocol
		field     string // of the error, "" for none
	}{
		// Book 1, 8.3.2: the basic answers to reset.
		{"basic T=0, direct", "3B 60 00 00", false, 0, ""},
		{"basic T=0, inverse", "3F 60 00 00", false, 0, ""},
		{"basic T=0 with historical characters", "3B 65 00 00 70 6F 73 64 30", false, 0, ""},
		{"basic T=1", "3B E0 00 00 81 31 FE 45 EB", false, 1, ""},
		{"basic T=1, guard FF", "3B E0 00 FF 81 31 20 45 CA", false, 1, ""},

		{"TS 00", "00 60 00 00", false, 0, "TS"},
		{"TS 3C", "3C 60 00 00", true, 0, "TS"},
		{"empty", "", false, 0, "length"},
		{"only TS", "3B", false, 0, "length"},
		{"33 bytes", "3B6F0000 000102030405060708090A0B0C0D0E 000102030405060708090A0B0C0D", false, 0, "length"},
		{"34 bytes", "3B6F0000 000102030405060708090A0B0C0D0E 000102030405060708090A0B0C0D0E", false, 0, "length"},
		{"TB1 missing from the line", "3B 60", false, 0, "TB1"},
		{"TC1 missing from the line", "3B 60 00", false, 0, "TC1"},
		{"historical characters missing", "3B 65 00 00 70 6F", false, 0, "T0"},

		{"no TB1, cold", "3B 40 00", false, 0, "TB1"},
		{"no TB1, warm", "3B 40 00", true, 0, ""},
		{"TB1 05, cold", "3B 60 05 00", false, 0, "TB1"},
		{"TB1 05, warm", "3B 60 05 00", true, 0, ""},
		{"no TC1", "3B 20 00", false, 0, ""},
		{"TA1 18 in negotiable mode", "3B 70 18 00 00", false, 0, ""},
		{"specific mode, TA1 13", "3B F0 13 00 00 10 00", false, 0, ""},
		{"specific mode, TA1 18", "3B F0 18 00 00 10 00", false, 0, "TA1"},
		{"specific mode of its own", "3B E0 00 00 10 10", false, 0, "TA2"},
		{"specific mode T=1, TD1 T=0", "3B E0 00 00 10 01", false, 0, "TA2"},
		{"TD1 T=15 first", "3B E0 00 00 0F EF", false, 0, "TD1"},
		{"TD1 T=14", "3B E0 00 00 0E EE", false, 0, "TD1"},
		{"TB2", "3B E0 00 00 20 00", false, 0, "TB2"},
		{"TC2 0A", "3B E0 00 00 40 0A", false, 0, ""},
		{"TC2 00", "3B E0 00 00 40 00", false, 0, "TC2"},
		{"T=0 with a right TCK", "3B 60 00 00 60", false, 0, ""},
		{"T=0 with a wrong TCK", "3B 60 00 00 61", false, 0, "TCK"},
		{"T=0 with two bytes too many", "3B 60 00 00 60 00", false, 0, "length"},

		{"T=1 without TCK", "3B E0 00 00 81 31 FE 45", false, 0, "TCK"},
		{"T=1 with a wrong TCK", "3B E0 00 00 81 31 FE 45 15", false, 0, "TCK"},
		{"T=1 without TD2", "3B E0 00 00 01 E1", false, 0, "TD2"},
		{"T=1, T=0 in TD2", "3B E0 00 00 81 30 FE 45 EA", false, 0, "TD2"},
		{"IFSC 0F", "3B E0 00 00 81 31 0F 45 1A", false, 0, "TA3"},
		{"IFSC FF", "3B E0 00 00 81 31 FF 45 EA", false, 0, "TA3"},
		{"IFSC absent", "3B E0 00 00 81 21 45 05", false, 1, ""},
		{"TB3 absent", "3B E0 00 00 81 11 FE 8E", false, 0, "TB3"},
		{"BWI 5", "3B E0 00 00 81 31 FE 55 FB", false, 0, "TB3"},
		{"CWI 6", "3B E0 00 00 81 31 FE 46 E8", false, 0, "TB3"},
		{"CWI too short for the guard time", "3B E0 00 03 81 31 FE 42 EF", false, 0, "TB3"},
		{"CRC", "3B E0 00 00 81 71 FE 45 01 AA", false, 0, "TC3"},
		{"LRC said so", "3B E0 00 00 81 71 FE 45 00 AB", false, 1, ""},
		// Book 1, 8.3.3, character by character: what must be accepted and what refused.
		{"8.3.3 TS: direct", "3B 60 00 00", true, 0, ""},
		{"8.3.3 TS: 03", "03 60 00 00", false, 0, "TS"},
		{"8.3.3 T0: 15 historical characters", "3B 6F 00 00 303132333435363738393A3B3C3D3E", false, 0, ""},
		{"8.3.3 T0: no historical and no interface character, warm", "3B 00", true, 0, ""},
		{"8.3.3 T0: no historical and no interface character, cold", "3B 00", false, 0, "TB1"},
		{"8.3.3 T0: one historical character too many", "3B 60 00 00 30 31", false, 0, "length"},
		{"8.3.3.1 TA1 absent", "3B 60 00 00", false, 0, ""},
		{"8.3.3.1 TA1 11, negotiable", "3B 70 11 00 00", false, 0, ""},
		{"8.3.3.1 TA1 00, negotiable", "3B 70 00 00 00", false, 0, ""},
		{"8.3.3.1 TA1 FF, negotiable", "3B 70 FF 00 00", false, 0, ""},
		{"8.3.3.1 TA1 11, specific", "3B F0 11 00 00 10 00", false, 0, ""},
		{"8.3.3.1 TA1 12, specific", "3B F0 12 00 00 10 00", false, 0, ""},
		{"8.3.3.1 TA1 13, specific, T=1", "3B F0 13 00 00 91 01 31 FE 45 F9", false, 1, ""},
		{"8.3.3.1 TA1 10, specific", "3B F0 10 00 00 10 00", false, 0, "TA1"},
		{"8.3.3.1 TA1 14, specific", "3B F0 14 00 00 10 00", false, 0, "TA1"},
		{"8.3.3.1 TA1 absent, specific: 372 and 1", "3B E0 00 00 10 00", false, 0, ""},
		{"8.3.3.2 TB1 FF, cold", "3B 60 FF 00", false, 0, "TB1"},
		{"8.3.3.2 TB1 FF, warm", "3B 60 FF 00", true, 0, ""},
		{"8.3.3.2 TB1 absent, T=1, cold", "3B C0 00 81 31 FE 45 CB", false, 0, "TB1"},
		{"8.3.3.2 TB1 absent, T=1, warm", "3B C0 00 81 31 FE 45 CB", true, 1, ""},
		{"8.3.3.3 TC1 FE", "3B 60 00 FE", false, 0, ""},
		{"8.3.3.3 TC1 FF", "3B 60 00 FF", false, 0, ""},
		{"8.3.3.3 TC1 absent", "3B 20 00", false, 0, ""},
		{"8.3.3.4 TD1 00", "3B E0 00 00 00", false, 0, ""},
		{"8.3.3.4 TD1 02", "3B E0 00 00 02 E2", false, 0, "TD1"},
		{"8.3.3.5 TA2: another protocol than TD1", "3B E0 00 00 90 01 01 70", false, 0, "TA2"},
		{"8.3.3.5 TA2: bit 5", "3B E0 00 00 10 10", false, 0, "TA2"},
		{"8.3.3.6 TB2 00", "3B E0 00 00 20 00", false, 0, "TB2"},
		{"8.3.3.7 TC2 01", "3B E0 00 00 40 01", false, 0, ""},
		{"8.3.3.7 TC2 FF", "3B E0 00 00 40 FF", false, 0, ""},
		{"8.3.3.8 TD2 01 behind T=0", "3B E0 00 00 80 01 61", false, 0, ""},
		{"8.3.3.8 TD2 0E behind T=0", "3B E0 00 00 80 0E 6E", false, 0, ""},
		{"8.3.3.8 TD2 00 behind T=0", "3B E0 00 00 80 00", false, 0, "TD2"},
		{"8.3.3.8 TD2 0F behind T=0", "3B E0 00 00 80 0F 6F", false, 0, "TD2"},
		{"8.3.3.8 TD2 0E behind T=1", "3B E0 00 00 81 3E FE 45 E4", false, 0, "TD2"},
		{"8.3.3.9 TA3 10", "3B E0 00 00 81 31 10 45 05", false, 1, ""},
		{"8.3.3.9 TA3 FE", "3B E0 00 00 81 31 FE 45 EB", false, 1, ""},
		{"8.3.3.9 TA3 00", "3B E0 00 00 81 31 00 45 15", false, 0, "TA3"},
		{"8.3.3.10 TB3 00: CWI 0 with no guard time", "3B E0 00 00 81 31 FE 00 AE", false, 0, "TB3"},
		{"8.3.3.10 TB3 01", "3B E0 00 00 81 31 FE 01 AF", false, 1, ""},
		{"8.3.3.10 TB3 00 with TC1 FF", "3B E0 00 FF 81 31 FE 00 51", false, 1, ""},
		{"8.3.3.10 TB3 45 with TC1 1E: 32 > 31", "3B E0 00 1E 81 31 FE 45 F5", false, 1, ""},
		{"8.3.3.10 TB3 45 with TC1 1F: 32 is not more than 32", "3B E0 00 1F 81 31 FE 45 F4", false, 0, "TB3"},
		{"8.3.3.10 TB3 50", "3B E0 00 00 81 31 FE 50 FE", false, 0, "TB3"},
		{"8.3.3.11 TC3 FF", "3B E0 00 00 81 71 FE 45 FF 54", false, 0, "TC3"},
		{"8.3.4 TCK absent though T=1 is offered second", "3B E0 00 00 80 01", false, 0, "TCK"},
		{"8.3.4 TCK wrong by one bit", "3B E0 00 00 81 31 FE 45 EA", false, 0, "TCK"},
		{"8.3.4 a byte behind TCK", "3B E0 00 00 81 31 FE 45 EB 00", false, 0, "length"},
		{"33 bytes, well formed, T=0", "3B FF 110000F0 110000F0 110000F0 11000000 000102030405060708090A0B0C0D0E", false, 0, "TA2"},

		{"more and more interface characters", "3B 80 80 80 80 80 80 80 80", false, 0, "TD4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := ParseATR(dehex(t, c.atr), c.warm)
			var e *ATRError
			switch {
			case c.field == "" && err != nil:
				t.Fatal(err)
			case c.field == "":
				if a.T != c.t {
					t.Errorf("T=%d, want %d", a.T, c.t)
				}
			case !errors.As(err, &e) || e.Field != c.field:
				t.Errorf("%v, want an error at %s", err, c.field)
			}
		})
	}
}

func TestATRValues(t *testing.T) {
	a, err := ParseATR(dehex(t, "3F F2 13 00 05 10 00 48 49"), false)
	if err != nil {
		t.Fatal(err)
	}
	if !a.Inverse || a.FiDi != 0x13 || a.Guard != 5 || string(a.Historical) != "HI" {
		t.Errorf("%+v", a)
	}
	p, data := a.parameters()
	if p != 0 || string(data) != "\x13\x02\x05\x0A\x00" {
		t.Errorf("parameters %d % X", p, data)
	}
}

func FuzzATR(f *testing.F) {
	for _, s := range []string{"3B600000", "3BE500008131FE45706F736431D7", "3BFF9600008131FE4380318065B0831148C883009000"} {
		f.Add(dehex(f, s), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, warm bool) {
		a, err := ParseATR(b, warm)
		if err != nil {
			if e := (*ATRError)(nil); !errors.As(err, &e) || e.Field == "" {
				t.Fatalf("error without a field: %v", err)
			}
			return
		}
		if a.T > 1 || len(a.Historical) > 15 || a.FiDi < 0x11 || a.FiDi > 0x13 {
			t.Fatalf("%+v", a)
		}
	})
}
