package emv

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// caCertificate is the self-signed form of Book 2, table 29.
func caCertificate(s *ecSigner, rid [5]byte, index byte) []byte {
	b := slices.Concat([]byte{0x20, 0x00}, rid[:], []byte{index, s.u.id}, s.x())
	return append(b, s.sign(b, nil)...)
}

// Book 2, 11.2.1 and 11.2.2: ECC keys are checked when they are loaded.
func TestECCCAKeys(t *testing.T) {
	for _, s := range []*ecSigner{xdaP256().ca, xdaP521().ca} {
		u := s.u
		sum := func(index, suite byte, point []byte) []byte {
			return u.hash.sum(testRID[:], []byte{index, suite}, point)
		}
		k, err := NewECCAKey(testRID, 7, u.id, s.xy(), sum(7, u.id, s.xy()))
		if want := u.curve.Params().BitSize; err != nil || k.Bits() != want || k.RID != testRID || k.Index != 7 {
			t.Fatalf("suite %02X: %d bits, %v", u.id, k.Bits(), err)
		}
		larger := bytes.Clone(s.xy())
		p := u.curve.Params().P.FillBytes(make([]byte, u.field))
		borrow := 0
		for i := u.field - 1; i >= 0; i-- { // p - y
			v := int(p[i]) - int(larger[u.field+i]) - borrow
			borrow = 0
			if v < 0 {
				v, borrow = v+256, 1
			}
			larger[u.field+i] = byte(v)
		}
		off := bytes.Clone(s.xy())
		off[len(off)-1] ^= 1
		short := s.xy()[:2*u.field-1]
		for _, c := range []struct {
			name       string
			rid        [5]byte
			index      byte
			suite      byte
			point, sum []byte
		}{
			{"11.2.2: checksum for another RID", [5]byte{1}, 7, u.id, s.xy(), sum(7, u.id, s.xy())},
			{"11.2.2: checksum for another index", testRID, 8, u.id, s.xy(), sum(7, u.id, s.xy())},
			{"11.2.2: checksum over another point", testRID, 7, u.id, off, sum(7, u.id, s.xy())},
			{"11.2.2: no checksum", testRID, 7, u.id, s.xy(), nil},
			{"11.2.2: SHA-1 is not the suite's hash", testRID, 7, u.id, s.xy(), sha1Of(testRID[:], []byte{7, u.id}, s.xy())},
			{"B2.4.1: suite 12", testRID, 7, 0x12, s.xy(), sum(7, 0x12, s.xy())},
			{"table 31: a byte short", testRID, 7, u.id, short, sum(7, u.id, short)},
			{"table 31: x alone", testRID, 7, u.id, s.x(), sum(7, u.id, s.x())},
			{"B2.2.1: not on the curve", testRID, 7, u.id, off, sum(7, u.id, off)},
			{"B2.2.4: the larger y", testRID, 7, u.id, larger, sum(7, u.id, larger)},
		} {
			if _, err := NewECCAKey(c.rid, c.index, c.suite, c.point, c.sum); !errors.Is(err, ErrConfig) {
				t.Errorf("suite %02X, %s: %v", u.id, c.name, err)
			}
		}

		cert := caCertificate(s, testRID, 7)
		k2, err := ParseCACertificate(cert)
		if err != nil || !reflect.DeepEqual(k2, k) {
			t.Fatalf("suite %02X: certificate: %v", u.id, err)
		}
		for name, f := range map[string]func([]byte) []byte{
			"table 29: format 12":         func(b []byte) []byte { b[0] = 0x12; return b },
			"table 29: encoding 01":       func(b []byte) []byte { b[1] = 0x01; return b },
			"table 29: RID changed":       func(b []byte) []byte { b[3] ^= 1; return b },
			"table 29: index changed":     func(b []byte) []byte { b[7] ^= 1; return b },
			"table 29: suite changed":     func(b []byte) []byte { b[8] ^= 1; return b },
			"table 29: suite 80":          func(b []byte) []byte { b[8] = 0x80; return b },
			"table 29: x changed":         func(b []byte) []byte { b[40] ^= 1; return b },
			"table 29: signature changed": func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
			"table 29: a byte short":      shorter,
			"table 29: a byte long":       longer,
			"table 29: nothing":           func([]byte) []byte { return nil },
			"table 29: eight bytes":       func(b []byte) []byte { return b[:8] },
			"table 29: nine bytes":        func(b []byte) []byte { return b[:9] },
		} {
			if _, err := ParseCACertificate(f(bytes.Clone(cert))); !errors.Is(err, ErrConfig) {
				t.Errorf("suite %02X, %s: %v", u.id, name, err)
			}
		}
	}
}

func TestECCKeysInParameters(t *testing.T) {
	s := xdaP256().ca
	h := func(b []byte) string { return hex.EncodeToString(b) }
	head := "[[ca_key]]\nrid = \"A000000333\"\nindex = \"07\"\n"
	point := "suite = \"10\"\npoint = \"" + h(s.xy()) + "\"\nchecksum = \"" + h(s.u.hash.sum(testRID[:], []byte{7, 0x10}, s.xy())) + "\"\n"
	cert := "certificate = \"" + h(caCertificate(s, testRID, 7)) + "\"\n"
	rsa := capk(t)[0]
	rsaKey := "modulus = \"" + rsa.Modulus + "\"\nexponent = \"" + rsa.Exponent + "\"\nsha1 = \"" + rsa.SHA1 + "\"\n"
	for name, text := range map[string]string{"point": point, "certificate": cert} {
		cfg, err := LoadParameters(strings.NewReader(minimal + head + text))
		if err != nil || len(cfg.CAKeys) != 1 || cfg.CAKeys[0].Bits() != 256 || !hasCAKey(cfg, testRID[:], 7) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []struct{ name, text, want string }{
		{"11.2.2: one index for a point and a certificate", head + point + head + cert, "occurs twice"},
		{"11.2.2: one index for RSA and ECC", "[[ca_key]]\nrid = \"" + rsa.RID + "\"\nindex = \"" + rsa.Index + "\"\n" + rsaKey +
			"[[ca_key]]\nrid = \"" + rsa.RID + "\"\nindex = \"" + rsa.Index + "\"\ncertificate = \"" + h(caCertificate(s, [5]byte(unhex(rsa.RID)), unhex(rsa.Index)[0])) + "\"\n", "occurs twice"},
		{"two kinds in one", head + point + rsaKey, "wants modulus"},
		{"point and certificate in one", head + point + cert, "wants modulus"},
		{"nothing", head, "wants modulus"},
		{"no point", head + "suite = \"10\"\n", "checksum"},
		{"suite of two bytes", head + strings.Replace(point, "\"10\"", "\"1010\"", 1), "one byte"},
		{"certificate of another index", strings.Replace(head, "07", "08", 1) + cert, "another RID or index"},
		{"certificate cut off", head + "certificate = \"2000\"\n", "format 20"},
	} {
		if _, err := LoadParameters(strings.NewReader(minimal + c.text)); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// hasCAKey tells whether a configuration has the key for a RID and an index.
func hasCAKey(c Config, rid []byte, index byte) bool {
	return slices.ContainsFunc(c.CAKeys, func(k CAKey) bool { return bytes.Equal(k.RID[:], rid) && k.Index == index })
}
