// Package kernel2 is EMV Contactless Kernel 2 (Book C-2), the one of Mastercard and Maestro.
//
// It is the book's state machine: a file a state (state3.go is S3), a file a procedure, and the numbers of the book's steps (S456.12, GAC.22)
// beside what does them. It runs EMV mode with combined authentication (CDA), the relay resistance protocol, recovery of torn
// transactions, on-device cardholder verification, balance reading, data exchange with the merchant's application and integrated data
// storage. Mag-stripe mode is there too, and off unless Options.MagStripe says otherwise.
//
// What differs from the book's own architecture: signals are calls. The card's answer is the return of Transceive, DEK and DET are
// methods of Terminal, MSG is Activation.UI, OUT is the outcome that Activate returns, STOP and CLEAN are methods of Kernel. So a READ
// RECORD is never under way while the one before is still being looked at: where the book ends "on next RA", this kernel ends at once.
//
// The book itself was not at hand. Rules come from two or more independent implementations that name its steps; where they differ, or
// where only one speaks, the rule stands alone in rules.go with its sources and how sure it is. Version: 2.6 to 2.8 (2018), application
// version number 0002; what is known of 2.11 is noted in rules.go.
//
// The card is not trusted: each object must be known, come in its template, have its length and come once (Book C-2, 4.5 and A.1); what
// belongs to the reader cannot come from the card. The package does not go online, has no second GENERATE AC, shows and logs nothing, and
// writes nothing to disk: torn records live in the Kernel value.
package kernel2
