package card

import (
	"bytes"
	"math/big"
	"slices"
	"testing"
)

// point arithmetic in the open, for checking: y^2 = x^3 - 3x + b.
type point struct{ x, y *big.Int }

func (u *suite) add(a, b *point) *point {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	p := u.prime
	var l *big.Int
	if a.x.Cmp(b.x) == 0 {
		if a.y.Cmp(b.y) != 0 {
			return nil
		}
		l = new(big.Int).Mul(a.x, a.x)
		l.Mul(l.Sub(l, big.NewInt(1)), big.NewInt(3)) // 3x^2 - 3
		l.Mul(l, new(big.Int).ModInverse(new(big.Int).Lsh(a.y, 1), p))
	} else {
		l = new(big.Int).Sub(b.y, a.y)
		d := new(big.Int).Sub(b.x, a.x)
		l.Mul(l, new(big.Int).ModInverse(d.Mod(d, p), p))
	}
	x := new(big.Int).Mul(l, l)
	x.Sub(x.Sub(x, a.x), b.x).Mod(x, p)
	y := new(big.Int).Sub(a.x, x)
	y.Sub(y.Mul(y, l), a.y).Mod(y, p)
	return &point{x, y}
}

func (u *suite) mul(n *big.Int, a *point) (sum *point) {
	for i := n.BitLen() - 1; i >= 0; i-- {
		if sum = u.add(sum, sum); n.Bit(i) == 1 {
			sum = u.add(sum, a)
		}
	}
	return sum
}

// verify is Book 2, A2.2.3.
func (k *ecKey) verify(sig, msg []byte) bool {
	u := k.suite
	n := u.hash().Size()
	g := u.times(big.NewInt(1))
	at := func(b []byte) *point {
		return &point{new(big.Int).SetBytes(b[:u.field]), new(big.Int).SetBytes(b[u.field:])}
	}
	r := new(big.Int).SetBytes(sig[:n])
	minus := new(big.Int).Sub(u.order, r.Mod(r, u.order))
	q := u.add(u.mul(new(big.Int).SetBytes(sig[n:]), at(g)), u.mul(minus, at(k.point)))
	return q != nil && bytes.Equal(u.sum(q.x.FillBytes(make([]byte, u.field)), msg), sig[:n])
}

// TestXDA checks keys, signatures and certificates with arithmetic of its own.
func TestXDA(t *testing.T) {
	for _, name := range []string{"p256", "p521"} {
		c := ecChainOf(unhex("A000000333"), name)
		for what, k := range map[string]*ecKey{"CA": c.ca, "issuer": c.issuer, "card": c.icc} {
			y := new(big.Int).SetBytes(k.point[k.field:])
			if new(big.Int).Lsh(y, 1).Cmp(k.prime) > 0 {
				t.Errorf("%s %s: y is the larger of the two (Book 2, B2.2.1)", name, what)
			}
			sig := k.sign([]byte("message"))
			if len(sig) != k.hash().Size()+k.field || !k.verify(sig, []byte("message")) {
				t.Errorf("%s %s: a good signature of %d bytes", name, what, len(sig))
			}
			if k.verify(sig, []byte("massage")) {
				t.Errorf("%s %s: a signature of something else", name, what)
			}
		}
		cert := c.issuerCertificate("6217004815162342019", "")
		body, sig := cert[:21+c.issuer.field], cert[21+c.issuer.field:]
		if !bytes.Equal(cert[:7], unhex("1200621700FFFF")) || cert[7] != c.issuer.id || !bytes.Equal(cert[15:21], append(unhex(c.rid), c.index)) || !c.ca.verify(sig, body) {
			t.Errorf("%s: issuer certificate %X", name, body)
		}
		cert = c.cardCertificate([]byte("static data"), "")
		body, sig = cert[:17+32+c.icc.field], cert[17+32+c.icc.field:]
		if cert[0] != 0x14 || cert[15] != 0x00 || cert[16] != 0x02 || !c.issuer.verify(sig, body) || !bytes.Equal(body[49:], c.icc.x()) {
			t.Errorf("%s: card certificate %X", name, body)
		}
	}
	if keys := ECCAKeys(); len(keys) != 6 || slices.ContainsFunc(keys, func(k ECCAKey) bool { return len(k.Point) != 64 && len(k.Point) != 132 }) {
		t.Errorf("%d CA keys", len(keys))
	}
}
