// Package ccid is a contact card reader of the GemPC Twin family as it looks from its serial line: CCID messages (USB CCID rev 1.1)
// framed by SYNC 03, ACK 06 and an LRC. libccid drives it as GemCorePOSPro, GemPCTwin or GemPCPinPad.
//
// The reader stands between the line and a Card, which knows APDUs only. So the card's half of T=0 (procedure bytes, 61xx, 6Cxx,
// GET RESPONSE) and of T=1 (blocks, chaining, retransmission, IFS) is here too: t0.go and t1.go, after ISO/IEC 7816-3 and EMV Book 1
// section 9. At APDU level the reader does both itself, and neither is seen.
//
// A GemPCPinPad and a PosdPINPad have a keypad. Secure 69 puts the PIN into the command as bmFormatString, bmPINBlockString and
// bmPINLengthFormat say; a PosdPINPad also knows the extension that the package posd/hal/ccid describes, which enciphers it for the
// card. The digits come by Press and leave in the command to the card only.
//
// The fault switches (faults.go) break the reader, its line, its keypad, and the card's answer to reset, T=0 and T=1.
//
// Trace events show every APDU decoded (package posd/sim/apdu), with account numbers, track data and PINs masked before they leave the package.
//
// It does not do: change of PIN, memory cards, extended length APDUs.
package ccid
