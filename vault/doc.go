// Package vault holds what posd knows about keys: the algorithms (TDES, check values, PIN blocks of ISO 9564-1, MACs of
// ISO/IEC 9797-1 and NIST SP 800-38B, the fold of the UnionPay MAC) and Keys, the terminal's own few keys in a file.
//
// Where each key lives:
//
//   - Terminal master key (TMK): in the PIN pad, injected there. It never exists in posd.
//   - PIN key and MAC key: posd keeps the cryptograms under the TMK that the acquirer sent at sign-on (the file of Keys) and hands
//     them to the pad with each request. Their clear form exists inside the pad alone, for the time of one request.
//   - Sealing key (256 bits, made at first start): in the file of Keys, clear. It seals card numbers that something owed still
//     needs. Only the file's mode (0600) protects it: this is a first-stage measure, good against a lost journal backup, not
//     against whoever reads the whole flash. A board whose file names a secure element keeps this key there instead.
//
// Deriving check values in the pad means that whoever can talk to the pad and has the cryptogram of the PIN key can have the pad
// encipher chosen blocks under it. That is a property of master/session pads that unwrap PIN and MAC keys with one TMK, as the
// UnionPay direct connection demands; DUKPT or key blocks end it.
//
// The clear-key and clear-PIN functions (MAC1, EncodePIN0, ...) are for the device and host side of tests and for the virtual
// terminal. posd itself calls only FoldECB, HexMAC and the methods of Keys.
//
// Sources: ISO 9564-1:2017 §9.3 (PIN blocks), ISO/IEC 9797-1:2011 §7.2 and §7.4 (algorithms 1 and 3) and §6.3 (padding),
// NIST SP 800-38B and RFC 4493 (CMAC), ANSI X9.24-1 annex A (check values), UnionPay direct connect (MAC fold, field 62).
//
// The package never logs and puts no key, PIN or card number into an error. DUKPT and key blocks (TR-31) are not here.
package vault
