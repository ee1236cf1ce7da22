package tlv

// Tag is a BER-TLV tag as the number its bytes spell, first byte most significant: 0x9F02, 0x5A, 0xDF8117.
type Tag uint32
