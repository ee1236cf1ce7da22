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
// The package keeps no exception file, knows no referrals, advices or biometric methods, speaks no contactless, writes no log and
// never sees a PIN: one that the card verifies goes from the PIN pad to the card. It does not decide about reversals.
package emv
