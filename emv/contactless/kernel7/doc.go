// Package kernel7 is the contactless kernel of UnionPay (EMV Contactless Book C-7, version 2.11; QuickPass, qPBOC, qUICS, 闪付). It
// runs one application that the Entry Point has selected: GET PROCESSING OPTIONS, which brings the cryptogram, the records when the card
// approves offline, fast dynamic data authentication, cardholder verification by the card's transaction qualifiers, and an outcome.
//
// One state after the other, a file for each: select.go, options.go, verify.go, records.go, decide.go, authenticate.go. torn.go has the
// card that left too early, exempt.go and parameters.go UnionPay's rules for small amounts, cash.go the electronic cash, which is off
// unless it is switched on.
//
// Book C-7 is not public in full. What this package does beyond what is known of it stands in rules.go and qualifiers.go, each rule in one
// place with its source: the Chinese standard JR/T 0025.12-2013 that qPBOC comes from, as terminals in the field carry it out, the rules
// of kernel 3, whose flow is the same, or a choice of posd. A certification must settle those.
//
// The kernel sends no GENERATE AC and no INTERNAL AUTHENTICATE, runs neither the magnetic stripe mode nor the slow contactless path, does
// not bring the issuer's answer back to the card, knows RSA only, and keeps nothing on disk: a card that was torn from the field is
// forgotten when the program ends. A Kernel is used by one goroutine at a time.
package kernel7
