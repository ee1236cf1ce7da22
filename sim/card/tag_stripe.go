package card

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"posd/emv/tlv"
)

// checksum is COMPUTE CRYPTOGRAPHIC CHECKSUM (C-2): dynamic CVC3 for both tracks over the unpredictable number.
func (g *Tag) checksum(cmd command) []byte {
	t := g.c.cur
	if t == nil || t.stage != initiated || t.a.Tap.Stripe == "" {
		return swConditions
	}
	if cmd.p1 != 0x8E || cmd.p2 != 0x80 {
		return swP1P2
	}
	if len(cmd.data) < 4 {
		return swLength
	}
	if sw := t.status("checksum"); sw != nil {
		return sw
	}
	un := [4]byte(cmd.data)
	t.stage = finished
	b := t.object1(0x9F36, []byte{byte(t.atc >> 8), byte(t.atc)})
	g.c.log = append(g.c.log, Cryptogram{AID: slices.Clone(t.aid), ATC: t.atc, Kind: "CVC3", Asked: "CVC3"})
	if g.conf.CDCVM != "" && !g.shown && t.a.Tap.CVMLimit > 0 {
		g.asked = true
		return ok(put(nil, 0x77, append(b, t.object1(0xDF4B, []byte{0, posPINNeeded, 0})...)...))
	}
	for i, tag := range []tlv.Tag{0x9F60, 0x9F61} {
		v := cvc3(t.a.PAN, t.a.PSN, byte(i+1), un, t.atc)
		if t.a.Tap.Fault == tapCVC {
			v ^= 1
		}
		b = append(b, t.object1(tag, []byte{byte(v >> 8), byte(v)})...)
	}
	if g.conf.CDCVM != "" {
		done := byte(0)
		if g.shown {
			done = posPINDone
		}
		b = append(b, t.object1(0xDF4B, []byte{0, done, 0})...)
	}
	return ok(put(nil, 0x77, b...))
}

// cvc3 is the dynamic verification code of a track: the last two bytes of the block that holds two bytes of MAC over what the track says
// of the card, the unpredictable number and the counter, enciphered under the card's key.
func cvc3(pan, psn string, track byte, un [4]byte, atc uint16) uint16 {
	k := cardKeyOf(masterKey(pan[:6], "CVC3"), pan, psn)
	iv := mac(k, append([]byte{track}, pan...))
	out := k.encrypt([8]byte{iv[6], iv[7], un[0], un[1], un[2], un[3], byte(atc >> 8), byte(atc)})
	return uint16(out[6])<<8 | uint16(out[7])
}

// VerifyStripe checks the track 2 of mag-stripe mode, digits with D or = as the separator: the dynamic part of the discretionary data must
// be that of the card (see stripe). onDevice says that the reader has told of a verification on the device by the last digit.
func (Issuer) VerifyStripe(track2, psn string) (onDevice bool, err error) {
	pan, rest, found := strings.Cut(strings.TrimRight(strings.ReplaceAll(track2, "=", "D"), "F"), "D")
	if !found || len(pan) < 13 || len(pan) > 19 || !digits(pan) || !digits(rest) || len(rest) < 7+1+stripeUN+stripeATC+stripeCVC {
		return false, fmt.Errorf("%w: track 2", ErrMissing)
	}
	take := func(n int) string {
		s := rest[len(rest)-n:]
		rest = rest[:len(rest)-n]
		return s
	}
	switch take(1) {
	case strconv.Itoa(stripeUN):
	case strconv.Itoa((stripeUN + 5) % 10):
		onDevice = true
	default:
		return false, fmt.Errorf("%w: the number of digits of the unpredictable number", ErrCryptogram)
	}
	un := take(stripeUN)
	atc, err := strconv.ParseUint(take(stripeATC), 10, 16)
	if err != nil {
		return false, fmt.Errorf("%w: counter in track 2", ErrMissing)
	}
	code := take(stripeCVC)
	number := [4]byte(bcd(strings.Repeat("0", 8-stripeUN)+un, 4, 0))
	want := cvc3(pan, psn, 2, number, uint16(atc))
	if full := fmt.Sprintf("%05d", want); full[5-stripeCVC:] != code {
		return onDevice, ErrCryptogram
	}
	return onDevice, nil
}
