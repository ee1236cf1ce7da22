// Package kernel3 is Kernel 3 of the EMV contactless specifications (Book C-3: Visa, "qVSDC"): one GET PROCESSING OPTIONS, the records if
// there are any, and a decision. It implements contactless.Kernel. The states are those of Book C-3, chapters 5 and 6, in their
// order: gpo.go (5.2), records.go (5.3), mandatory.go and decide.go (5.4), restrict.go (5.5), authenticate.go (5.6), cvm.go (5.7),
// outcome.go (5.8, 5.9 and 4.3), update.go (chapter 6), limits.go (5.1.2, dynamic reader limits).
//
// The card's part ends with the last record: from "card read OK" on nothing is sent to it, signatures are verified afterwards. It does no
// magnetic stripe mode (MSD): a reader configured for it is refused. It asks for no PIN and prints nothing: what the outcome calls for is
// the terminal's. It keeps nothing from one activation to the next.
//
// # Rules that are not certain
//
// Book C-3 itself was not at hand; the rules are from programs that cite its requirement numbers, and from issued cards. The number says how
// many independent sources agree. A certification must settle those with one, and those where the sources differ:
//
//   - 5.2.2.2, SW 6986: Try Again with Start B, "see phone", field off 1.3 s (2 sources); another has End Application with Start B.
//   - 5.4.1: message 17 at once (2); another clears the display.
//   - 5.4.2.2: an object that repeats one of the FCI is redundant too (2 of 3). Objects whose source is the terminal are passed over (2).
//   - 5.4.2, lengths: an object of a wrong length ends the application (1).
//   - 5.4.3.1: without 9F27 byte 5 of 9F10 decides, where its length is 06 or 07 (format 0, 1, 3). Of format 2 and 4 (length 1F) the place is not
//     known for sure: no cryptogram type, so a decline (1).
//   - 5.4.3.2, refunds: an AAC is not a decline (2). A refund goes online whatever the card says (1); offline-only readers decline it (own choice: one source
//     approves).
//     For a refund neither offline data authentication nor cardholder verification is done (1).
//   - 5.5.1.1: "go online if expired" counts only where the reader can go online (1 of 3).
//   - 5.5.1.3 and 5.5.1.4 for online transactions too (3 of 4), not after the card has declined (own choice). A card without 9F07 or 5F28 is
//     as one that does not allow it (3 of 4).
//   - 5.5.1.5, contactless ATM: CTQ byte 1 bit 1 is "not valid" (3 of 4), then Try Another Interface; what AUC says of ATMs otherwise (1).
//   - 5.6, authentication for online transactions (TTQ byte 1 bit 1): a failure takes the same ways as offline (general knowledge). The issuer
//     remainder 92 is asked for only where the key needs it (own choice: two sources always want it).
//   - 5.7.1.1: without CTQ, online PIN where the reader has it (1); two others also want CDCVM support.
//   - 5.8: a reader that is offline only declines what must go online (1).
//   - 5.8.1.2: Start B with online response data "EMV data", message 21, and the field off without hold time (1).
//   - 6.2: on the second tap EXTERNAL AUTHENTICATE with 91, whatever it answers, then 71 and 72 in the order of the message (1). A card that goes
//     away ends the update, not the transaction; it is not asked for a third time (own choice).
//   - Statuses of the messages of Online Request (not ready), Approved and Declined (card read): sources differ.
//   - The data record is the list of one source and 9F24 of another. 9F39 is 07.
//   - The ICC dynamic number is not compared with the ATC; no book says so.
package kernel3
