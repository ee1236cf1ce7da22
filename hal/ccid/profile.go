package ccid

// Profile is a kind of reader.
type Profile string

// Profiles; all but the last are named as libccid names them.
const (
	// GemCorePOSPro has no echo and five slots: 0 the user's card, 1 to 4 security modules.
	GemCorePOSPro Profile = "GemCorePOSPro"
	// GemPCTwin echoes each command before it answers, and tells of card movements between echo and answer. One slot.
	GemPCTwin Profile = "GemPCTwin"
	// GemPCPinPad is a GemPCTwin with a keypad: it can give a PIN to the card in the clear (Secure 69).
	GemPCPinPad Profile = "GemPCPinPad"
	// PosdPINPad has no echo, one slot, a keypad, works at short APDU level and knows the extension that is described in the package
	// documentation: it can also encipher a PIN for the card, and it tells the number of digits typed.
	PosdPINPad Profile = "PosdPINPad"
)

// Level is who does the card's protocol (dwFeatures, CCID 5.1).
type Level string

// Levels of exchange.
const (
	TPDU      Level = "tpdu" // the driver does GET RESPONSE, wrong lengths and the blocks of T=1
	ShortAPDU Level = "apdu" // the reader does
)

// PINEntry is what a reader's keypad can be used for.
type PINEntry string

// Uses of a keypad; each one includes those before it.
const (
	PINNone       PINEntry = "none"       // no keypad
	PINPlain      PINEntry = "plain"      // the card gets the PIN in the clear (VERIFY with P2 80)
	PINEnciphered PINEntry = "enciphered" // or under its own RSA key (P2 88)
)

// model is what a profile is like.
type model struct {
	echo  bool
	slots byte
	level Level
	pin   PINEntry
}

func (p Profile) model() model {
	switch p {
	case GemPCTwin:
		return model{echo: true, slots: 1, level: TPDU, pin: PINNone}
	case GemPCPinPad:
		return model{echo: true, slots: 1, level: TPDU, pin: PINPlain}
	case PosdPINPad:
		return model{slots: 1, level: ShortAPDU, pin: PINEnciphered}
	}
	return model{slots: 5, level: TPDU, pin: PINNone}
}

// PINEntry is the most that a reader of this profile can do with a PIN.
func (p Profile) PINEntry() PINEntry { return p.model().pin }
