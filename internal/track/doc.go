// Package track reads the magnetic stripe of a payment card from the ASCII characters that a swipe reader sends: tracks 1 and 2 as
// ISO/IEC 7813 lays them out, track 3 as ISO/IEC 4909, in the characters of ISO/IEC 7811-2 (7811-6 has the same) with start and end
// sentinels and, where the reader sends it, the longitudinal redundancy check.
//
//	track 1: % B PAN ^ name ^ expiry service discretionary ?      79 characters with sentinels and LRC, 6 bits and parity each
//	track 2: ; PAN = expiry service discretionary ?               40 characters, 4 bits and parity each
//	track 3: + 01 PAN = use and security data ?                  107 characters, 4 bits and parity each
//
// Readers begin track 3 with "+"; one that begins it with ";", as the standard has it, is understood where track 2 came before.
//
// What it reads is a secret: no error carries any of it, and no value prints itself. It does not judge whether a card may be used: it
// says what the service code means, and leaves it to others to obey. It knows no encrypting reader.
package track
