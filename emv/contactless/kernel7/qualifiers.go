package kernel7

// bit names one bit of a byte string: byte 1 is the first, bit 8 the most significant, as the books count.
type bit struct{ octet, bit uint8 }

func (b bit) in(s []byte) bool { return s[b.octet-1]>>(b.bit-1)&1 == 1 }
func (b bit) set(s []byte)     { s[b.octet-1] |= 1 << (b.bit - 1) }
func (b bit) clear(s []byte)   { s[b.octet-1] &^= 1 << (b.bit - 1) }

// Terminal transaction qualifiers, 9F66 (Book C-7 v2.11, 3.2.2, table 3-1; JR/T 0025.12-2013, 6.2). Four public terminals agree on bytes
// 1, 2 and 4. Byte 3 is reserved in JR/T; two terminals and Book A have issuer update in bit 8 and CDCVM in bit 7. Byte 1 bit 8 (magnetic
// stripe) and bit 7 (slow contactless path, proprietary in C-7) are sent as they are configured: the card decides, and an answer on either
// path is not this kernel's.
var (
	ttqFast           = bit{1, 6} // qPBOC: what this kernel is
	ttqContact        = bit{1, 5}
	ttqOfflineOnly    = bit{1, 4}
	ttqOnlinePIN      = bit{1, 3}
	ttqSignature      = bit{1, 2}
	ttqOnlineRequired = bit{2, 8} // an online cryptogram is required
	ttqCVMRequired    = bit{2, 7}
	ttqFDDA01         = bit{4, 8}
)

// Card transaction qualifiers, 9F6C (Book C-7, Annex A). Byte 1 bits 8 to 5 and byte 2 bit 8 have three sources, byte 1 bit 4 two. Byte 1
// bits 3 to 1 (cash, cashback, ATM) are Visa's: reserved in qPBOC, not looked at. Byte 2 bit 7 (issuer update) is not used either: the
// kernel does not bring the card back.
var (
	ctqOnlinePIN       = bit{1, 8}
	ctqSignature       = bit{1, 7}
	ctqODAOnline       = bit{1, 6} // authentication failed: go online
	ctqODAOther        = bit{1, 5} // authentication failed: try another interface
	ctqExpiredOnline   = bit{1, 4} // application expired: go online
	ctqVerifiedByPhone = bit{2, 8} // the consumer's device has verified him (CDCVM)
)

// aipDDA: without it there is no dynamic authentication, fast or not (Book 3, C1; asked for by a public qPBOC kernel).
var aipDDA = bit{1, 6}
