package acquirer

import "fmt"

// Sizes of what stands before the message in a frame.
const (
	tpduSize   = 5 // 60, destination NII, source NII
	headerSize = 6 // application class, software version, terminal status, processing request, sub-version
)

// EnvelopeError is a frame whose first bytes are not those of this protocol.
type EnvelopeError struct {
	Part   string // "TPDU", "pre-header", "header"
	Offset int    // bytes from the start of the frame's content
	Why    string
}

func (e *EnvelopeError) Error() string {
	return fmt.Sprintf("acquirer: %s at byte %d: %s", e.Part, e.Offset, e.Why)
}

// appendEnvelope writes TPDU, pre-header and header.
func (p *Profile) appendEnvelope(dst []byte) []byte {
	dst = append(dst, p.TPDU[:]...)
	dst = append(dst, p.PreHeader...)
	return append(dst, p.Header[:]...)
}

// openEnvelope takes a frame apart: the message, from the MTI on, and the processing request, which is the low nibble of the
// header's third byte. Addresses in the TPDU are not compared: networks swap or rewrite them. A pre-header is skipped.
func (p *Profile) openEnvelope(frame []byte) (message []byte, requested byte, err error) {
	at := tpduSize + len(p.PreHeader)
	switch {
	case len(frame) < tpduSize:
		return nil, 0, &EnvelopeError{"TPDU", len(frame), "the frame ends inside it"}
	case frame[0] != p.TPDU[0]:
		return nil, 0, &EnvelopeError{"TPDU", 0, "is of another protocol"}
	case len(frame) < at:
		return nil, 0, &EnvelopeError{"pre-header", len(frame), "the frame ends inside it"}
	case len(frame) < at+headerSize:
		return nil, 0, &EnvelopeError{"header", len(frame), "the frame ends inside it"}
	}
	header := frame[at : at+headerSize]
	for i, c := range header {
		if c>>4 > 9 || c&15 > 9 {
			return nil, 0, &EnvelopeError{"header", at + i, "has a digit above 9"}
		}
	}
	return frame[at+headerSize:], header[2] & 15, nil
}
