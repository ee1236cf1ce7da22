// Package txn is the merchant's day: one straight-line function per transaction, read from top to bottom as the specifications read,
// and Settle, which pays what is owed after a crash, a lost answer or a printer without paper.
//
// One goroutine runs a flow from its first prompt to its last screen. Devices and hosts are called; none of them calls back. The
// interfaces that a flow uses are declared in this package and are small, so that a test can stand in for each.
//
// The order that never changes, whatever fails:
//
//	journal.Begin (sent)  ->  request leaves  ->  answer  ->  journal.Move (outcome)  ->  screen, paper
//
// A request that may have left and has no believable answer is unknown: it goes to "undoing" and is reversed (card) or queried and
// cancelled (wallet) until a host says that no money is held. Nothing is resumed after a restart; Settle looks at the journal only.
//
// A sale that card and terminal approve without the host begins with its outcome: Begin (approved), screen, paper, and the upload that is
// owed. Such uploads, and the notices of what became of issuer scripts, are advices: see advice.go.
//
// What it will not do: talk to a device or host in any detail, know a wire format, or decide what a response code means.
package txn
