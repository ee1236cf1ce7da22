package vpcd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// DefaultPort is vsmartcard's.
const DefaultPort = "35963"

// Controls of the reader.
const (
	powerOff = 0
	powerOn  = 1
	reset    = 2
	askATR   = 4
)

// Longest messages, in bytes.
const (
	maxATR      = 33     // ISO/IEC 7816-3, 8.1
	maxResponse = 258    // 256 bytes and SW1 SW2
	maxCommand  = 0xFFFF // whatever the length can say: our cards refuse an extended APDU themselves
	minCommand  = 4      // a shorter one would be a control
)

// Error is what is wrong with a message of the other side.
type Error struct {
	Field  string // "length", "body" or "control"
	Offset int    // in the message, its length included
	Why    string
}

func (e *Error) Error() string {
	return fmt.Sprintf("vpcd: %s at offset %d: %s", e.Field, e.Offset, e.Why)
}

// readMessage reads a message of at most limit bytes. begun is called when its first byte has come. It returns io.EOF, or what the
// reader said, when there is not even that; *Error for everything else.
func readMessage(r io.Reader, limit int, begun func()) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:1]); err != nil {
		return nil, err
	}
	begun()
	if _, err := io.ReadFull(r, head[1:]); err != nil {
		return nil, &Error{"length", 1, cut(err)}
	}
	switch n := int(binary.BigEndian.Uint16(head[:])); {
	case n == 0:
		return nil, &Error{"length", 0, "a message of no bytes"}
	case n > limit:
		return nil, &Error{"length", 0, fmt.Sprintf("%d bytes, at most %d can come", n, limit)}
	default:
		b := make([]byte, n)
		if have, err := io.ReadFull(r, b); err != nil {
			return nil, &Error{"body", len(head) + have, fmt.Sprintf("%s after %d of %d bytes", cut(err), have, n)}
		}
		return b, nil
	}
}

// cut says why a message stopped.
func cut(err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "nothing more comes"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection ends"
	case errors.Is(err, net.ErrClosed):
		return "closed"
	}
	return err.Error()
}

// message puts the length before b, which has 1 to 65535 bytes.
func message(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(b)), uint16(len(b))), b...)
}

// Address adds the default port to an address without one.
func Address(s string) string {
	if _, _, err := net.SplitHostPort(s); err == nil {
		return s
	}
	return net.JoinHostPort(s, DefaultPort)
}
