package card

import (
	"math/big"
	"sync"
)

// The RSA keys below were made for these simulated cards and serve nothing else.

// testKey is an RSA key in the parts that a key generator gives: the public exponent and two primes in hex.
type testKey struct {
	e    int64
	p, q string
}

var (
	unionPayCA = testKey{
		e: 3,
		p: "EA82020F4C7FFDF7F4BACE24395EE48B2849C79DF93401F1F3614F4F8D73860A908650F3569769EE7643D9D444B80BDCEB4356829C2E1A6F2B528CF65B9C31225D47DC70AACCDC7187F92D923DA1D55D7CC153F54D02110F",
		q: "CE7A63E4F9484DC5B58E5D69DAD3848C9EEDDE6A0088548CF0B0C6EC6B1B507386B40491372A60CA166B82D31C3D6D3A6B1B01632C92D65C81345E70E879500531BFAB6EC1F9459F80601BFB2F176C1FDF5EC7F2BC9E8C11",
	}
	visaCA = testKey{
		e: 3,
		p: "DB910BE958674C87420795770F3559443D0DC286B463260646778CA9AF5AF440FB59F9B7A2B8C6BE7DBBABC21CF05C0FE51498E5E4FBDC03054CBBC4E0A0828F516B0F4480FBEDE7A806239FF8373368743B08875BFCECAF",
		q: "F2C9B444C2FD3AA59D8CF359648B58385E30D4863FB8D8E06EE77C4E56270FD2D1696B06FA6FD34E6E939D9DC78609B3D712FB11BD3FA8F124A4CD9E508BAE9D476342782161E90CEAA1EF3FA8D866E543FEC7FBF986B13F",
	}
	mastercardCA = testKey{
		e: 3,
		p: "DB7271F9D6D7A8681881F1FD6D250A555DF22FD74CEF2FDB855A89B6CF2D359537224B59C1FCF4010BB9EFD3327B6E4E4B2D14EE944FF95736305B1530FA5AEA424756B41F958D48712C7E417743AE873826E6DEE4BA9537",
		q: "F561F57AD855ED852B30037EDA8F978FD8C45C90C1D4C53BEEED2EE029EEE49B174B20F83D7B44DFD064137DB1C53B528C515B8BAC0F6F1847110F23A1D35D6D58375DFA1A4CF3ED0CB43DE73BAE8231926B4EB596587069",
	}
	unionPayIssuer = testKey{
		e: 3,
		p: "F1BD4ED84AB8F6F19B1ECFAE9FC88C3934AD33F7187B777DBFCC5C8D766488547AAAC6032DE4C7BC1566A51EA59B66749726B1F13CE83CBDD6CE5171935CD795E4B71735271BA847",
		q: "D3BA65B2C21C9F062E6C131CD9F0530C273BBF2585670CD50EB2241AD74AD6C59B1957F6C2246C6F7CD6E4DA8BC8BB688F0DEAF2D7E00031A6D3394D494AFC4B59358F8709203D43",
	}
	visaIssuer = testKey{
		e: 3,
		p: "CC5B525EDE68A46D319AC203D5EAD51B0E31B28BD7C3B8D72191279789EAFB4C19D84387BD856289ED12126F70FC9C5C03CF9480560DC9C39677CE5CF52013F09CB46AD30FA4A2A7",
		q: "E057B99CFED5AD311AC053B006D64104A796175BD66E4225746423C7307BEF88C16D5B06C0FBB425F8164A1BCF1A4733844CBE08C4E32E82AFFDD811FEC700478ACF3747B7E88F5B",
	}
	mastercardIssuer = testKey{
		e: 65537,
		p: "E8CB30036310CA759D74E2D6631A20EDFA21D64433CC09C3931D819EE5215CC314A5793D029240F3C6F27C4EE795889DD157A1BE7D6FC7B1DD5D9959EA25B993ECB20180C4A5670A16B9E227DA52F9BF",
		q: "DC2C7D2420D856FC1B2001BF9E23CF2E1C1A88122E7D3CC9CA68D83D3AA037E026C8C3EDE2A8630EA5E17C3114E5ACB511C7A2FA9FF1420C81D045A74935F97EB52D5CAAB33C4666F3C504F6AD1DA465",
	}
	iccKey = testKey{
		e: 3,
		p: "CD0CAE0A193271F6E546FEFFAAC1D4F490C20F8A4E926DA98EEE0620E95DB03712254F1FAC7F27F1A74FB7A3BABC9CFFEDD8F49DAEAC4D7E79D92052571B7541",
		q: "D914537324F9B95E0B95EF86C434B727B2AAF78343679832D0BF2D3BDC2D7220474CD6F915B8B7667C76CBBB5A11B919E66B3232C9CAA17E165E7DA05A2AF577",
	}
)

// caIndex is the index under which the usual test key of a certification authority goes; those of other chains follow. No scheme
// uses E0 to E3 for a live key.
const caIndex = 0xE0

// chain is what a card's data are signed with: three RSA keys, each certified by the one before it.
type chain struct {
	rid   string // hex
	index byte   // of the CA key, 8F
	ca    *rsaKey
	// issuer is certified by ca, icc and pin by issuer.
	issuer, icc, pin *rsaKey
}

// scheme is a payment system with the usual keys of its cards.
type scheme struct {
	rid        string // hex
	name       string
	ca, issuer testKey
}

var schemes = []scheme{
	{"A000000333", "UnionPay", unionPayCA, unionPayIssuer},
	{"A000000003", "Visa", visaCA, visaIssuer},
	{"A000000004", "Mastercard", mastercardCA, mastercardIssuer},
}

// chains are the chains that a profile can name, with the names of their keys. Every payment system has them all.
var chains = map[string]struct {
	index           byte
	ca, issuer, icc string
}{
	"1024":  {0xE2, "ca1152", "issuer1024", "icc1024f4"}, // remainders everywhere; 65537
	"1152":  {0xE2, "ca1152", "issuer1152", "icc1152"},   // three keys of one length
	"1408":  {0xE3, "ca1408", "issuer1408", "icc1408"},   // 65537, 3, 65537
	"1984":  {0xE1, "ca1984", "issuer1976", "icc1976"},   // the longest that fit into records of 254 bytes (Book 2, D1)
	"whole": {0xE1, "ca1984", "issuer1408", "icc1024"},   // each certificate holds all of its key: no remainder
}

// ready keeps keys that were made ready before.
var ready = struct {
	sync.Mutex
	keys map[string]*rsaKey
}{keys: map[string]*rsaKey{}}

func (k testKey) ready() *rsaKey {
	ready.Lock()
	defer ready.Unlock()
	r := ready.keys[k.p]
	if r == nil {
		r = k.rsa()
		ready.keys[k.p] = r
	}
	return r
}

// chainOf returns the chain of an application of a payment system; nil when there is none. name is a key of chains, or "".
func chainOf(aid []byte, name string) *chain {
	s := schemeOf(aid)
	if s == nil {
		return nil
	}
	c := &chain{rid: s.rid, pin: chainKeys["pin1024"].ready()}
	if name == "" {
		c.index, c.ca, c.issuer, c.icc = caIndex, s.ca.ready(), s.issuer.ready(), iccKey.ready()
		return c
	}
	n, ok := chains[name]
	if !ok {
		return nil
	}
	c.index, c.ca, c.issuer, c.icc = n.index, chainKeys[n.ca].ready(), chainKeys[n.issuer].ready(), chainKeys[n.icc].ready()
	return c
}

// rsaKey is a key ready for use.
type rsaKey struct {
	n, e       *big.Int
	p, q       *big.Int
	dp, dq, qi *big.Int
	size       int // of the modulus in bytes
}

func (k testKey) rsa() *rsaKey {
	p, okP := new(big.Int).SetString(k.p, 16)
	q, okQ := new(big.Int).SetString(k.q, 16)
	if !okP || !okQ {
		panic("card: test key is not hex")
	}
	one := big.NewInt(1)
	p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
	r := &rsaKey{n: new(big.Int).Mul(p, q), e: big.NewInt(k.e), p: p, q: q}
	r.dp = new(big.Int).ModInverse(r.e, p1)
	r.dq = new(big.Int).ModInverse(r.e, q1)
	r.qi = new(big.Int).ModInverse(q, p)
	if r.dp == nil || r.dq == nil || r.qi == nil {
		panic("card: test key does not fit its exponent")
	}
	r.size = (r.n.BitLen() + 7) / 8
	return r
}

// sign applies the private key to a block as long as the modulus, the signature scheme of Book 2, A2.1.
func (k *rsaKey) sign(block []byte) []byte { return k.apply(new(big.Int).SetBytes(block)) }

// apply is the function of the private key; m is less than the modulus.
func (k *rsaKey) apply(m *big.Int) []byte {
	a := new(big.Int).Exp(m, k.dp, k.p)
	b := new(big.Int).Exp(m, k.dq, k.q)
	a.Sub(a, b).Mul(a, k.qi).Mod(a, k.p)
	a.Mul(a, k.q).Add(a, b)
	return a.FillBytes(make([]byte, k.size))
}

func (k *rsaKey) modulus() []byte  { return k.n.FillBytes(make([]byte, k.size)) }
func (k *rsaKey) exponent() []byte { return k.e.Bytes() }
