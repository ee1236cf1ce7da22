package oda

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"
)

// ecSigner is a private key whose public key has the smaller y (Book 2, B2.2.4).
type ecSigner struct {
	u *ecSuite
	d *big.Int
}

func newECSigner(u *ecSuite) *ecSigner {
	k, err := u.dh.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return ecSignerOf(u, k.Bytes())
}

func ecSignerOf(u *ecSuite, d []byte) *ecSigner {
	p := u.curve.Params()
	s := &ecSigner{u, new(big.Int).SetBytes(d)}
	if _, y := s.point(s.d); y.Cmp(new(big.Int).Rsh(p.P, 1)) > 0 {
		s.d.Sub(p.N, s.d)
	}
	return s
}

func (s *ecSigner) point(k *big.Int) (x, y *big.Int) {
	priv, err := s.u.dh.NewPrivateKey(k.FillBytes(make([]byte, s.u.field)))
	if err != nil {
		panic(err)
	}
	return xy(s.u, priv.PublicKey())
}

func xy(u *ecSuite, p *ecdh.PublicKey) (x, y *big.Int) {
	b := p.Bytes()
	return new(big.Int).SetBytes(b[1 : 1+u.field]), new(big.Int).SetBytes(b[1+u.field:])
}

// x is the public key as certificates show it.
func (s *ecSigner) x() []byte {
	x, _ := s.point(s.d)
	return x.FillBytes(make([]byte, s.u.field))
}

func (s *ecSigner) xy() []byte {
	x, y := s.point(s.d)
	return append(x.FillBytes(make([]byte, s.u.field)), y.FillBytes(make([]byte, s.u.field))...)
}

// fixedECSigner is a key pair that is the same in every run: fuzzing needs signatures that do not change.
func fixedECSigner(u *ecSuite, name string) *ecSigner {
	d := new(big.Int).SetBytes(ecSHA512.sum([]byte(name)))
	return ecSignerOf(u, d.Mod(d, u.curve.Params().N).FillBytes(make([]byte, u.field)))
}

// sign is EC-SDSA (Book 2, A2.2.2) with a given k, or one derived from key and message when k is nil.
func (s *ecSigner) sign(msg []byte, k *big.Int) []byte {
	if k == nil {
		k = new(big.Int).SetBytes(ecSHA512.sum(s.d.Bytes(), msg))
		k.Mod(k, s.u.curve.Params().N)
	}
	n := s.u.curve.Params().N
	x, _ := s.point(k)
	r := s.u.hash.sum(x.FillBytes(make([]byte, s.u.field)), msg)
	v := new(big.Int).SetBytes(r)
	v.Mod(v, n).Mul(v, s.d).Add(v, k).Mod(v, n)
	return append(r, v.FillBytes(make([]byte, s.u.field))...)
}

func (s *ecSigner) public() *ECKey {
	k, ok := newECKey(s.u, s.x())
	if !ok {
		panic("no key")
	}
	return k
}

// The worked examples of EMV Contactless Book E: issuer and ICC certificates for both curves. The private keys are of the example.
var bookE = []struct {
	name            string
	suite           *ecSuite
	d, msg, k, sign string
}{
	{
		"issuer certificate, P-256", suiteP256,
		"723222B51845E8B41A66263AE90E962148F9CCC3BE45B3E5902CEC0195F2AEAF",
		"120054133390FF1020301231123456A000000004E0CD7400578B1164FEA954658C763C5A94FB3514FA89DB5B3B447AE8F4D5DF870A",
		"049916F4FD4046C1DBA9FBBD41C5A9643BDC6978C42371DDCD5D725E144B6446",
		"739061ADBC6FC71C8864EA9D3D6BAB5C9501C058D895FE0F69D92E22412953DC1ACCCBBE60809C5694C739CA54CC3FF4CF0964E1B946C3ED00C4E572A5021988",
	},
	{
		"ICC certificate, P-256", suiteP256,
		"DD5015968F6E10BE471523C58716FC0A36A40B309E62039DF6ED9FC62C6EA5F8",
		"140000202912312359987654321000010260D3FB0E45A5E64834880571152BE93E241D216D407F6F000C263B1CC87517AF43CA1837F6B4321CA70262902037EFCE790DC583828AEA628FFAAEFC08618658",
		"93C1BB40E845B014C0CE00325A2E89642B891EBF0265F16A1531671467909371",
		"035824B9DD96765B97A0CC52C1B668B075ED86BE31DA1159C6F9128863B75A80BD863084A1C965C681AE72DF3B58A9CA8AEC8463DEF0A7FA35C0EE83A5269F65",
	},
	{
		"issuer certificate, P-521", suiteP521,
		"018B05B1953B24AC49B340C24D6DD42CCFFDD795F6879C4B28475375CEEA2440D6180E7733BA7423B9CF9A61AAA6A3480B882BA6F9497F09613451877120383FF2BC",
		"120054133390FF1120301231123456A000000004E1009C0AE6DC43AC03AA8285C9C67962B0B426587EB50DB41F7A5DD37BBB7E95831C8742384A1C880A561CE775946D473E4CD12FC03E4345ED93A515C6FAF722FA13E7",
		"01CEC53C7A0FC68F914CB3B06AAF89B04622B465AB8CB52DA2FAE7B2BF3E7754B1866900AEE2AFF453C8199617EC6E23E111CC813F622EEBECC51B4516CC37569D09",
		"DCB625B0FC3F87241D38565B4CAE9B1B9D00A70B71EAF6F54ACDE94EEFE49C514724FAF5F7A4A25606F0CE7C89DC6EE4403D841EF7155B87363E8CE39EB7FEAC0158D88C6B23D71E7C5B8D4E9009BAADD96A0ECDA0C1305774F7CD65FE0A907711258DF9F13A9D70AE0DE200103F6FF9D80067E672A683F8E49602F8E94C6615B2EB",
	},
	{
		"ICC certificate, P-521", suiteP521,
		"00D069CF714C812DE247A3546AEA2A8098D707031FCB2EB93629255305FA6C6FFB8944E7FCF8C0D5C1115F5801797E49D61A562BCA08ACB61B1F756A3A3D9AF33635",
		"140000202912312359987654321000010260D3FB0E45A5E64834880571152BE93E241D216D407F6F000C263B1CC87517AF43CA1837F6B4321CA70262902037EFCE790DC583828AEA628FFAAEFC08618658",
		"01EC03A29BF1F9CBA1EB306F4A3D63AB4C9B8955AEE4CBDFCA5A248B5CBC8DA0C4951E5565CC8BD025E0CF4D227B51B66DC628DB7D51723F82409D738599C9C96D43",
		"AEE9050995E9DA36D574942FC1F0F6C1ABC085904CB124B668788681E4BC84B6FCB7F7DA9A01561C7F7F2318A1E03A52E76F729755D2F9279EEE1185DE31401C003857A1143939AC53F1BD478A71317541A87865FC76C09D8F8E0C00ECE27AE0F467301325D807B3B2F604AB2562EFA1CF1E614B554FFF07969A227ADD22539AA80D",
	},
}

func TestECSDSAExamples(t *testing.T) {
	for _, c := range bookE {
		t.Run(c.name, func(t *testing.T) {
			s := ecSignerOf(c.suite, unhex(c.d))
			if s.d.Cmp(new(big.Int).SetBytes(unhex(c.d))) != 0 {
				t.Error("the example's public key has the larger y")
			}
			sig := unhex(c.sign)
			if got := s.sign(unhex(c.msg), new(big.Int).SetBytes(unhex(c.k))); string(got) != string(sig) {
				t.Errorf("signed %X", got)
			}
			key := s.public()
			if !key.verify(sig, unhex(c.msg)) {
				t.Fatal("the example's signature is refused")
			}
			if m := unhex(c.msg); !key.verify(sig, m[:7], nil, m[7:]) {
				t.Error("refused when the message comes in parts")
			}
			for i := 0; i < len(sig); i += 1 + len(sig)/6 {
				bad := unhex(c.sign)
				bad[i] ^= 0x01
				if key.verify(bad, unhex(c.msg)) {
					t.Errorf("accepted with byte %d changed", i)
				}
			}
			msg := unhex(c.msg)
			msg[20] ^= 0x80
			if key.verify(sig, msg) {
				t.Error("accepted over another message")
			}
		})
	}
}

// Book 2, A2.2.3, step by step, for both suites.
func TestECSDSASteps(t *testing.T) {
	msg := []byte("static and dynamic data")
	for _, u := range []*ecSuite{suiteP256, suiteP521} {
		s := newECSigner(u)
		key, n := s.public(), u.curve.Params().N
		good := s.sign(msg, nil)
		r, v := good[:u.hash.size], good[u.hash.size:]
		join := func(r []byte, s *big.Int) []byte {
			return append(append([]byte(nil), r...), s.FillBytes(make([]byte, u.field))...)
		}
		plusN := new(big.Int).Add(new(big.Int).SetBytes(v), n)
		cases := map[string][]byte{
			"step a: a byte short":    good[:len(good)-1],
			"step a: a byte long":     append(append([]byte(nil), good...), 0),
			"step a: nothing":         nil,
			"step e: s is zero":       join(r, new(big.Int)),
			"step e: s is n":          join(r, n),
			"step e: r is zero":       join(make([]byte, u.hash.size), new(big.Int).SetBytes(v)),
			"step i: another r":       append(u.hash.sum(msg), v...),
			"step i: s of another r":  join(r, big.NewInt(1)),
			"step i: s is n less one": join(r, new(big.Int).Sub(n, big.NewInt(1))),
		}
		if plusN.BitLen() <= 8*u.field {
			cases["step e: s plus n, which would verify"] = join(r, plusN)
		}
		if u.hash.size == u.field {
			cases["step e: r is n"] = join(n.Bytes(), new(big.Int).SetBytes(v))
		}
		for name, sig := range cases {
			if key.verify(sig, msg) {
				t.Errorf("suite %02X, A2.2.3 %s: accepted", u.id, name)
			}
		}
		if !key.verify(good, msg) || newECSigner(u).public().verify(good, msg) {
			t.Errorf("suite %02X: the right key refuses, or another accepts", u.id)
		}
		// B2.2.4: a key pair with the larger y is not what the x-coordinate stands for.
		wrong := &ecSigner{u, new(big.Int).Sub(n, s.d)}
		if key.verify(wrong.sign(msg, nil), msg) {
			t.Errorf("suite %02X: a signature under -P is accepted", u.id)
		}
		for range 8 { // both signs of the product's y occur
			if m := s.x(); !key.verify(s.sign(m, nil), m) {
				t.Fatalf("suite %02X: a good signature is refused", u.id)
			}
		}
	}
}

// times and addX at the places where the formulas have exceptions (Book 2, B2.2.1(c)).
func TestPointArithmetic(t *testing.T) {
	for _, u := range []*ecSuite{suiteP256, suiteP521} {
		p := u.curve.Params()
		s := newECSigner(u)
		key := s.public()
		for _, k := range []*big.Int{
			big.NewInt(1), big.NewInt(2), big.NewInt(3),
			new(big.Int).Sub(p.N, big.NewInt(1)), new(big.Int).Sub(p.N, big.NewInt(2)), new(big.Int).Rsh(p.N, 1),
		} {
			x, y, ok := key.times(k)
			wx, wy := s.point(new(big.Int).Mod(new(big.Int).Mul(k, s.d), p.N))
			if !ok || x.Cmp(wx) != 0 || y.Cmp(wy) != 0 {
				t.Errorf("suite %02X: %v times the key is wrong", u.id, k)
			}
		}
		if _, _, ok := key.times(new(big.Int)); ok {
			t.Error("0 times a point is no point")
		}
		if _, ok := u.addX(key.x, key.y, key.x, new(big.Int).Sub(p.P, key.y)); ok {
			t.Error("P - P has an x-coordinate")
		}
		two, ok := u.addX(key.x, key.y, key.x, key.y)
		if want, _, _ := key.times(big.NewInt(2)); !ok || two.Cmp(want) != 0 {
			t.Error("P + P is not 2P")
		}
	}
	// An x-coordinate that is no field element, of no point, or of another length.
	for name, x := range map[string][]byte{
		"p":         suiteP256.curve.Params().P.Bytes(),
		"all ones":  unhex("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"),
		"no square": notOnCurve(suiteP256),
		"31 bytes":  make([]byte, 31),
		"33 bytes":  make([]byte, 33),
		"nothing":   nil,
	} {
		if _, ok := newECKey(suiteP256, x); ok {
			t.Errorf("x is %s: accepted", name)
		}
	}
	for _, id := range []byte{0x00, 0x01, 0x0F, 0x12, 0x13, 0x80, 0xFF} {
		if ecSuiteOf(id) != nil {
			t.Errorf("suite %02X is known", id)
		}
	}
	for _, id := range []byte{0x00, 0x01, 0x04, 0x05, 0x80} {
		if ecHashOf(id) != nil {
			t.Errorf("hash algorithm %02X is known", id)
		}
	}
}

// notOnCurve is the smallest x without a point.
func notOnCurve(u *ecSuite) []byte {
	for i := int64(1); ; i++ {
		x := big.NewInt(i).FillBytes(make([]byte, u.field))
		if px, _ := u.pointAt(x); px == nil {
			return x
		}
	}
}

func BenchmarkECSDSA(b *testing.B) {
	for name, u := range map[string]*ecSuite{"P-256": suiteP256, "P-521": suiteP521} {
		b.Run(name, func(b *testing.B) {
			s := newECSigner(u)
			msg := make([]byte, 200)
			sig, key := s.sign(msg, nil), s.public()
			b.ReportAllocs()
			for b.Loop() {
				if !key.verify(sig, msg) {
					b.Fatal("refused")
				}
			}
		})
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// FuzzECSDSA gives a key any signature: only the one that was made is accepted.
func FuzzECSDSA(f *testing.F) {
	s := fixedECSigner(suiteP256, "fuzz")
	msg := []byte("message")
	good, key := s.sign(msg, nil), s.public()
	f.Add(good)
	f.Add(make([]byte, 64))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, sig []byte) {
		if key.verify(sig, msg) != (string(sig) == string(good)) {
			t.Fatalf("signature of %d bytes", len(sig))
		}
	})
}
