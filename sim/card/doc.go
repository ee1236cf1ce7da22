// Package card is a simulated EMV payment card and the issuer behind it.
//
// A Card is the chip at the level of APDUs (EMV 4.3 Books 1 to 3): the payment system environment, one or more applications with
// records and certificates of their own, offline data authentication (SDA, DDA, CDA; Book 2, sections 5 and 6), PIN verification,
// application cryptograms with the card's own risk management, issuer authentication and issuer scripts. What a card holds and how
// it decides is a Profile, a TOML file in profiles/.
//
// An Issuer knows the same keys and checks and builds the cryptograms of the other side.
//
// # Cryptograms
//
// Application cryptograms, and the answers to them, follow the recommendations of Book 2:
//
//   - card master keys from the issuer's by option A (A1.4.1), whatever the length of the PAN, as PBOC 3.0 has it;
//   - session keys by the common method (A1.3.1): from the ATC for application cryptograms, from the first cryptogram of the
//     transaction for the MAC of scripts;
//   - the MAC of A1.2.1 (ISO 9797-1 algorithm 3, padding method 2) over 9F02 9F03 9F1A 95 5F2A 9A 9C 9F37 82 9F36 and the whole of
//     9F10, the data of Visa's cryptogram version 18;
//   - ARPC method 1 (8.2.1) for issuer authentication: 91 is ARPC and ARC, ten bytes.
//
// Issuer application data (9F10) has the layout of PBOC 3.0: length 07, key index 01, version 12, card verification results of four
// bytes beginning with 03, algorithm 01 (triple DES).
//
// # What is not here
//
// Enciphered offline PIN, PIN change, UPDATE RECORD, electronic cash, contactless. The keys are test keys that everyone may know;
// the account numbers are invented and belong to nobody.
package card
