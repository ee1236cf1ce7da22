// Package pinpad drives a serial PIN pad that speaks "VISA / VeriFone-compatible packets" with master/session keys. Dev is a
// vault.Pad.
//
// Two dialects are known: VF, the packets of the VeriFone PINpad family, and UIC, those of the PP791 family, which differ in the
// answer to 08, in trusted prompts and in error codes. The dialect is an option; it is never guessed from an answer.
//
// Packets: 02 load master key, 04 is a key there, 06 serial number, 08 select, 11 connection test; Z1 idle, Z2 prompt; Z60, Z62,
// Z63 and 70 PIN entry, answered by 71; Z66 MAC, answered by Z67; 72 cancel. Not here: DUKPT (Z60 with its literal key, 73, 90 to
// 96), Z69, key and string entry (Z42, Z50: no digits in clear through this driver), speed changes (13).
//
// Link rules: the terminal starts, one exchange at a time; a frame is answered by ACK or NAK, three NAKs end it with EOT; a frame
// that nobody answered is sent three times, except a PIN entry, which is never repeated: the cardholder would type twice. Instead
// it is cancelled with 72, the line is drained, and the caller gets an error. A frame that comes before the ACK of a request is an
// answer to an older one and is refused with EOT, so that an old PIN block or MAC is never taken for the new one.
//
// The pad has no word for "cancelled" or "timed out": both are EOT. The driver tells them apart by its own clock.
//
// Sources: VeriFone Mx800 programmer's guide, appendix A; UIC PP791 programmer's manual; PINpad 1000SE guide. Waiting times other
// than the pad's own 5 s are choices of this driver.
package pinpad
