package emv

import (
	"errors"
	"testing"

	"posd/emv/tlv"
)

// Book 3, 5.2: an object without a value is as if it were not there. Each of these ends as it does when the object is left out.
func TestObjectsWithoutValue(t *testing.T) {
	type end struct {
		tvr     [5]byte
		cvm     [3]byte
		outcome Outcome
		gac     string
		err     error
	}
	run := func(t *testing.T, aip string, change func(*chip)) (e end) {
		t.Helper()
		ch := newChip()
		ch.aip, ch.ca, ch.issuer, ch.icc = aip, "ca1152", "issuer1024", "icc768" // small keys: there are many signatures
		for _, o := range []struct {
			tag   tlv.Tag
			value string
		}{{tagEffective, "200101"}, {tagLCOL, "05"}, {tagUCOL, "0A"}, {tagTDOL, "9A03"}, {tagPSN, "01"}} {
			ch.set[o.tag] = unhex(o.value)
		}
		change(ch)
		s, err := start(t, ch)
		for _, sentinel := range []error{ErrBadCard, ErrCardLost, ErrConditionsFail} {
			if errors.Is(err, sentinel) {
				e.err = sentinel
			}
		}
		if err != nil {
			return e
		}
		e.tvr, e.cvm, e.outcome = s.tvr, s.cvm, s.outcome
		if len(ch.gac) > 0 {
			e.gac = hexString(ch.gac[0].data[:8])
		}
		return e
	}
	for _, tag := range []tlv.Tag{
		tagEffective, tagExpiry, tagPAN, tagCDOL1, tagCDOL2, tagIACDefault, tagIACDenial, tagIACOnline, tagAUC, tagIssuerCountry,
		tagAppCurrency, tagCardVersion, tagCVMList, tagTrack2, tagPSN, tagLCOL, tagUCOL, tagTDOL,
		tagCAIndex, tagIssuerCert, tagIssuerExp, tagIssuerRest, tagICCCert, tagICCExp, tagDDOL, tagSDATagList,
	} {
		for _, aip := range []string{"3C00", "5C00"} { // with DDA, with SDA
			t.Run(tag.String()+" "+aip, func(t *testing.T) {
				empty := run(t, aip, func(c *chip) { c.set[tag] = []byte{} })
				absent := run(t, aip, func(c *chip) {
					delete(c.set, tag)
					c.drop[tag] = true
				})
				if empty != absent {
					t.Errorf("without value: %+v\nleft out:      %+v", empty, absent)
				}
			})
		}
	}
}

// 5.2 holds for what the issuer sends and for directories too.
func TestObjectsWithoutValueElsewhere(t *testing.T) {
	h, ok := parseHostICC(unhex("9100 9108 1122334455667788"), defaultScriptLimit)
	if !ok || hexString(h.auth) != "1122334455667788" {
		t.Errorf("%X, %v", h.auth, ok)
	}
	if parseDDF(unhex("6F 07 8400 A503 880101")) != nil {
		t.Error("a directory without a name")
	}
	if parseDDF(unhex("6F 0C 8405 A000000333 A503 880101")) == nil {
		t.Error("a directory with a name is none")
	}
	w := directoryWalk{s: session(t, testConfig(), script(t), &person{}), sel: &selection{}}
	if ddf := w.take(unhex("4F00 9D05 A000000333"), nil); hexString(ddf) != "A000000333" {
		t.Errorf("entry of a DDF: %X", ddf)
	}
}
