// Package ccid drives a contact card reader that speaks CCID over a serial line with the framing of the GemPC Twin family, and the
// card in it, up to command and response APDUs; a reader with a keypad also takes the PIN that a card compares.
//
// Four layers, a file or two each:
//
//   - frame.go: SYNC 03, ACK 06, a CCID message (USB CCID rev 1.1, section 6), LRC; or SYNC, NAK 15, LRC 16.
//   - reader.go, exchange.go, profile.go: the commands PowerOn 62, PowerOff 63, GetSlotStatus 65, XfrBlock 6F, SetParameters 61 and
//     Escape 6B, one at a time, with sequence numbers, time extensions, bounded resends and a deadline on every wait.
//   - atr.go, t0.go, t1.go: EMV Book 1 sections 8 and 9 for the card itself. A reader at TPDU level leaves GET RESPONSE, wrong lengths
//     and the blocks of T=1 to the host; one at short APDU level does them, and t0.go and t1.go rest.
//   - pin.go: PIN entry on the reader: Secure 69, Abort 72, and the extension below.
//
// It does not do PPS (EMV cards start with the values they want, Book 1, 8.3.3), extended length APDUs, CRC as the error detection
// code of T=1, or change of PIN.
//
// It knows nothing of EMV applications: data pass unread, and nothing that passes is put into an error text. The digits of a PIN never
// reach it: the reader puts them into the command.
//
// # The posd PIN extension
//
// CCID can have a reader put a PIN into a VERIFY command in the clear, but not enciphered for the card (EMV Book 2, section 7). A
// reader with this extension (profile PosdPINPad) works at short APDU level and takes, as PC_to_RDR_Escape (6B), these bytes:
//
//	offset  length  meaning
//	 0      1       F0, this extension
//	 1      1       01, encipher a PIN and have the card verify it
//	 2      1       seconds until the entry is given up; 00 is the reader's own time
//	 3      1       digits of a PIN: least in the high nibble, most in the low one; EMV wants 4C
//	 4      1       public exponent: 03 is 3, 10 is 2^16+1
//	 5      8       unpredictable number of the card, from GET CHALLENGE
//	13      64-248  modulus of the card's PIN encipherment key, most significant byte first; the top bit is set, the number is odd
//
// The length of the modulus follows from dwLength; 248 bytes, EMV's longest, fill the reader's largest message (271 bytes) exactly.
//
// The reader lets the cardholder type, ending with Enter, builds the block of Book 2, 7.2 (7F, PIN block of format 2, unpredictable
// number, random padding of its own up to the length of the modulus), enciphers it, and sends the card VERIFY (00 20 00 88) with the
// result. It keeps neither digits nor block. RDR_to_PC_Escape (83) answers:
//
//	bmCommandStatus  bError  data
//	ok               00      SW1 SW2 of the card
//	failed           EF      none: the cardholder cancelled
//	failed           F0      none: time is up
//	failed           81      none: Enter was pressed without a digit
//	failed           FE      none: the card is gone or mute, as bmICCStatus says
//	failed           FB      none: the keypad is broken
//	failed           E0      none: another entry is open
//	failed           offset  none: the field at that offset of the message cannot be used (0A is the first of the data, 01 the length)
//	time extension   01      one byte: the number of digits typed so far, or none
//
// The last line also holds for Secure (80 instead of 83). Enter with fewer digits than the least, but one, changes nothing: the reader
// beeps. Abort (72) ends either entry; then Abort alone is answered, with RDR_to_PC_SlotStatus. While an entry is open every other
// command is refused with E0.
package ccid
