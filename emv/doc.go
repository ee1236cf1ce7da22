// Package emv is the terminal's side of a contact chip transaction: EMV 4.3 Book 1 (application selection), Book 2 (offline data
// authentication), Book 3 (transaction flow) and Book 4 (terminal data, cardholder interface). There is one function for each step
// of Book 3, chapter 10, in the order in which Kernel.Start and Session.Complete call them, and one file for each.
//
// A Kernel has parameters (LoadParameters), a Card answers APDUs, a Cardholder chooses and types. Start ends with the first
// GENERATE AC; where its outcome is Online the caller asks the issuer and hands the answer to Complete. The outcome of a
// transaction is a value; an error means that there is none.
//
// The card is not trusted. Everything it sends is bounded: answers, records, data objects, applications, selections. It cannot set
// a data object whose source is the terminal, and it cannot raise the cryptogram it was asked for.
//
// Of EMV 4.4 it has Extended Data Authentication (XDA: Book 2, chapter 12; Book 4, 6.3.2.2) with the suites 10 (P-256, SHA-256) and 11
// (P-521, SHA-512). The assigned suites with SHA-3, the domestic ones (SM2) and encipherment by ECC (9F2D) it does not know. Where the
// books leave a choice or other sources differ, it does this: the signature of the second GENERATE AC covers the data of CDOL2 and not
// again those of PDOL and CDOL1 (Book 2, table 37); the ICC certificate's hash encoding must be 00 (contactless cards by Book E have 01);
// AIP and PDOL enter the certified card data with the shortest length; when a transaction went online with a TC, issuer
// authentication and scripts 71 are left out. It was tested with the worked signatures of Book E and with a payment system of its own,
// not with issued cards.
//
// The package keeps no exception file, knows no referrals, advices or biometric methods, speaks no contactless, writes no log and
// never sees a PIN: one that the card verifies goes from the PIN pad to the card. It does not decide about reversals.
package emv
