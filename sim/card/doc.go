// Package card is a simulated EMV payment card and the issuer behind it.
//
// A Card is the chip at the level of APDUs (EMV 4.3 Books 1 to 3, PBOC 3.0, and the extended data authentication of EMV 4.4): the
// payment system environment with directories below it, one or more applications with records and certificates of their own, offline
// data authentication (SDA, DDA, CDA; Book 2, sections 5 and 6; XDA, section 12), offline PINs in the clear and enciphered,
// application cryptograms with the card's own risk management, issuer authentication, issuer scripts and a transaction log. What a
// card holds and how it decides is a Profile, a TOML file in profiles/, which also says what a right terminal makes of the card: of
// the terminal that ships under [expect], of those of Terminals under [expect_at.NAME].
//
// A card with an antenna, or a phone, has a Tag: the PPSE, and applications in the way of kernel 2 (Mastercard: EMV mode with CDA, relay
// resistance, recovery of a torn transaction, balance, mag-stripe mode with dynamic CVC3), kernel 3 (Visa: qVSDC with fDDA, issuer update at a
// second tap) or kernel 7 (UnionPay: QuickPass with fDDA 01, electronic cash). It shares counters and keys with the chip's contacts. What the
// profile says of it stands under [contactless] and [application.tap]; what a right reader makes of it, of those of Readers, under
// [expect_tap.NAME].
//
// An Issuer knows the same keys and checks and builds the cryptograms of the other side; a Bank is the issuer with the habits that the
// profiles give it.
//
// # Keys and numbers
//
// All keys are test keys that everyone may know, and serve nothing else. RSA keys (keys.go, keys_chain.go) are the output of a key
// generator, two primes each; every payment system has five chains of them, from 1024 to 1984 bits with exponents 3 and 65537, under
// CA indexes E0 to E3. EC keys (indexes E4 and E5) and the issuers' triple DES keys are hashes of their names. Account numbers begin
// with an issuer number of the payment system, go on with random digits, end with a right check digit, and belong to nobody.
//
// # Cryptograms
//
// Application cryptograms, and the answers to them, follow the recommendations of Book 2. Card master keys come from the issuer's by
// option A (A1.4.1), whatever the length of the PAN, as PBOC 3.0 has it. All versions but 17 cover 9F02 9F03 9F1A 95 5F2A 9A 9C 9F37 82 9F36.
// The profile field cvn names one of
//
//   - "", the usual: session keys by the common method (A1.3.1), MAC (A1.2.1) over these and the whole of 9F10, ARPC method 1 (8.2.1):
//     91 is ARPC and ARC. 9F10 has PBOC's layout: length 07, key index 01, version 12, card verification results (03 and three bytes),
//     algorithm 01;
//   - 01, of PBOC: session keys from the counter and its complement, card verification results instead of 9F10, ARPC method 1;
//   - 10, of Visa: the card's key itself, card verification results, zeros as padding, ARPC method 1. 9F10: length 06, version 0A;
//   - 17, of Visa: the card's key itself, and 9F02, 9F37, 9F36 and byte 5 of 9F10 only, zeros as padding, ARPC method 1. 9F10: length 06,
//     version 11;
//   - 18, of Visa: common session keys, the whole of 9F10, ARPC method 2 (8.2.2) with a card status update. 9F10: length 06, version 12.
//
// Script commands carry a MAC of four bytes over header, ATC, first cryptogram and data under a session key from that cryptogram
// (9.2.3); a new PIN is enciphered under another one (9.3).
//
// # What is not here
//
// Electronic cash by contact, biometrics, SM algorithms, Mastercard's own cryptogram versions and its integrated data storage, Visa's dynamic
// reader limits, PINs enciphered with EC keys. CVC3 is computed in a way of its own (cvc3), which the simulated issuer checks.
package card
