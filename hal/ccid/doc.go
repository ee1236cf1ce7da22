// Package ccid drives a contact card reader that speaks CCID over a serial line with the framing of the GemPC Twin family, and the
// card in it, up to command and response APDUs.
//
// Three layers, a file or two each:
//
//   - frame.go: SYNC 03, ACK 06, a CCID message (USB CCID rev 1.1, section 6), LRC; or SYNC, NAK 15, LRC 16.
//   - reader.go, exchange.go: the commands PowerOn 62, PowerOff 63, GetSlotStatus 65, XfrBlock 6F, SetParameters 61 and Escape 6B,
//     one at a time, with sequence numbers, time extensions, bounded resends and a deadline on every wait.
//   - atr.go, t0.go, t1.go: EMV Book 1 sections 8 and 9 for the card itself, because such a reader works at TPDU level: the host
//     does GET RESPONSE, wrong lengths and the blocks of T=1.
//
// It does not do PPS (EMV cards start with the values they want, Book 1, 8.3.3), extended length APDUs, CRC as the error detection
// code of T=1, or PIN entry on the reader (Secure 69).
//
// It knows nothing of EMV applications: data pass unread, and nothing that passes is put into an error text.
package ccid
