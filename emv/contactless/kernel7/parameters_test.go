package kernel7

import (
	"errors"
	"testing"
	"time"
)

func TestParseParameters(t *testing.T) {
	got, err := ParseParameters([]byte("FF805D0010FF803A003015FF803C003090FF8058012000000100000FF80540011FF80550010FF80560011FF80570010FF8059012000000100000FF805A0011FF810C0011"))
	want := Parameters{
		Channel: OnlineFirst, RetapTime: 15 * time.Second, TornLifetime: 90 * time.Second, QPS: true, UseTableB: true, IgnoreCDCVM: true,
		NoPINLimit: 100000, NoSignatureLimit: 100000, NoSignature: true,
	}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = ParseParameters(nil)
	if want := (Parameters{NoPINLimit: 30000, NoSignatureLimit: 30000}); err != nil || got != want {
		t.Errorf("defaults: %+v, %v", got, err)
	}
	if got.retapTime() != 10*time.Second || got.tornLifetime() != time.Minute {
		t.Error(got.retapTime(), got.tornLifetime())
	}
	got, err = ParseParameters([]byte("FF805D0011FF80570011"))
	if err != nil || got.Channel != CashFirst || got.IgnoreCDCVM {
		t.Errorf("%+v, %v", got, err)
	}
	// The memory is at least as long as the wait.
	got, _ = ParseParameters([]byte("FF803A003099FF803C003010"))
	if got.tornLifetime() != 99*time.Second {
		t.Error(got.tornLifetime())
	}
}

func TestParseParametersBad(t *testing.T) {
	for _, k := range []struct {
		name, in, tag string
		offset        int
	}{
		{"a tag alone", "FF8054", "", 0},
		{"no value", "FF8054001", "FF8054", 0},
		{"a value that is cut off", "FF80540011FF805801200000001", "FF8058", 10},
		{"a tag that is not hexadecimal", "FF80G40011", "", 0},
		{"a length that is not decimal", "FF805400A1", "FF8054", 0},
		{"the same tag twice", "FF80540011FF80540010", "FF8054", 10},
		{"a switch that is neither 0 nor 1", "FF80540012", "FF8054", 0},
		{"a switch of two digits", "FF805400201", "FF8054", 0},
		{"no channel 2", "FF805D0012", "FF805D", 0},
		{"a time with letters", "FF803A00301s", "FF803A", 0},
		{"a time of nothing", "FF803A003000", "FF803A", 0},
		{"a limit of thirteen digits", "FF80580130000000000000", "FF8058", 0},
		{"an empty limit", "FF8058000", "FF8058", 0},
	} {
		t.Run(k.name, func(t *testing.T) {
			_, err := ParseParameters([]byte(k.in))
			var e *ParameterError
			if !errors.As(err, &e) || e.Tag != k.tag || e.Offset != k.offset {
				t.Errorf("%+v", err)
			}
		})
	}
	if _, err := ParseParameters(make([]byte, 1025)); err == nil {
		t.Error("too many bytes")
	}
}

func TestBINTable(t *testing.T) {
	tab := BINTable{{"623456", 19}, {"6212", 0}, {"", 16}}
	for pan, want := range map[string]bool{
		"6234561234567890123": true, "6234561234567890": false, "6212000000000000": true, "6213000000000000": false, "": false,
	} {
		if tab.Has(pan) != want {
			t.Errorf("%s: %t", pan, !want)
		}
	}
	if s := tab[0].String(); s != "623456/19" {
		t.Error(s)
	}
}
