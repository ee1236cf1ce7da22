// Package ccid is a contact card reader of the GemPC Twin family as it looks from its serial line: CCID messages (USB CCID rev 1.1)
// framed by SYNC 03, ACK 06 and an LRC, at TPDU level. libccid drives it as GemCorePOSPro or GemPCTwin.
//
// The reader stands between the line and a Card, which knows APDUs only. So the card's half of T=0 (procedure bytes, 61xx, 6Cxx,
// GET RESPONSE) and of T=1 (blocks, chaining, retransmission, IFS) is here too: t0.go and t1.go, after ISO/IEC 7816-3 and EMV Book 1
// section 9.
//
// Trace events show every APDU decoded (apdu.go), with account numbers, track data and PINs masked before they leave the package.
//
// It does not do: PIN entry on the reader (Secure 69 is answered "not supported"), memory cards, extended length APDUs.
package ccid
