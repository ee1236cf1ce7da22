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
