package kernel3

// Cryptogram types, bits 8 and 7 of the CID 9F27 (Book 3, table 15).
const (
	acAAC  = 0x00
	acTC   = 0x40
	acARQC = 0x80
	acNone = 0xC0 // reserved: no type
	acMask = 0xC0
)

// disposition is what the card has decided (Book C-3, 5.4.3).
func (t *tap) disposition() {
	t.cid = acNone
	if v := t.of(tagCID); v != nil {
		t.cid = v[0] & acMask
	} else if iad := t.of(tagIAD); len(iad) >= 5 && int(iad[0]) <= len(iad)-1 && (iad[0] == 0x06 || iad[0] == 0x07) && iad[3] == 0x03 {
		// 5.4.3.1: bits 6 and 5 of byte 5 of the issuer application data. That is byte 2 of the card verification results where these begin
		// with their length, 03: formats 0, 1 and 3.
		t.cid = iad[4] << 2 & acMask
		t.icc.Set(tagCID, []byte{t.cid})
	}
	switch t.cid { // 5.4.3.2
	case acAAC:
		t.decline = !t.refund()
	case acARQC:
		t.online = true
	case acTC:
		t.online = t.ttq[1]&ttqOnlineCryptogram != 0
	default:
		t.decline = true
	}
	// 3.4.1.2: what a card says to a refund is no authorisation, neither yes nor no. The acquirer is asked.
	t.online = t.online || t.refund()
}
