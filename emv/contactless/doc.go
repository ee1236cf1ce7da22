// Package contactless is the terminal's side of a contactless transaction up to the kernels: the Entry Point of EMV Contactless Book A
// (Architecture) and Book B (Entry Point). It prepares the combinations of application and kernel for an amount, has the field activated,
// reads the PPSE, chooses a combination, selects the application, hands card and data to the kernel, and obeys the outcome: restarts,
// next candidate, field off, messages.
//
// A kernel is a package of its own below this one (kernel2, kernel3, kernel7) with a value that implements Kernel. The Entry Point knows
// kernels by that interface only: a new one is a new folder and one line where the program is wired.
//
// A transaction is EntryPoint.Run, and after an online request Result.Resume with the issuer's answer. What happens between is a state machine of
// the sections of Book B, chapter 3 (session.go), and of what Book A, 8.1, has the reader do with a final outcome (conclude.go). People are told
// that a card may go as soon as its last exchange is over; that something is approved or declined they are not told here: that message is in
// the Result, for when the outcome is on the disk.
//
// Beside the books: starts again are bounded; a kernel's message that something is approved is not shown while it runs; after the issuer's
// answer no other application and no other amount can be started; a card that does not come back for an issuer update decides nothing. SEND POI
// INFORMATION (Book B, v2.12) is not built.
//
// The card is not trusted: what it sends is bounded, and it cannot give objects whose source is the terminal. Amounts are in minor
// units. The package sends nothing to a host, prints nothing, writes no log and keeps nothing on disk.
package contactless
