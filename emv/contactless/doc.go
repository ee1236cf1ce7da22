// Package contactless is the terminal's side of a contactless transaction up to the kernels: the Entry Point of EMV Contactless Book A
// (Architecture) and Book B (Entry Point). It prepares the combinations of application and kernel for an amount, has the field activated,
// reads the PPSE, chooses a combination, selects the application, hands card and data to the kernel, and obeys the outcome: restarts,
// next candidate, field off, messages.
//
// A kernel is a package of its own below this one (kernel2, kernel3, kernel7) with a value that implements Kernel. The Entry Point knows
// kernels by that interface only: a new one is a new folder and one line where the program is wired.
//
// The card is not trusted: what it sends is bounded, and it cannot give objects whose source is the terminal. Amounts are in minor
// units. The package sends nothing to a host, prints nothing, writes no log and keeps nothing on disk.
package contactless
