// Package qrpay is what a terminal must know to be paid from a wallet, whichever wallet it is: the order and what a gateway says
// of it (Order, Result), the merchant's contract with the wallet (Contract), Huabei instalment offers to the fen (Plans), which
// wallet a scanned payment code belongs to (Contract.Route), and how an order is pursued until it is known how it ended (Pursuit).
//
// Everything here is pure: no clock, no network, no goroutine. The caller does what an Action says and comes back with the
// Result. The rules are those of Alipay's face-to-face product (当面付): query every 3 to 6 seconds for about a minute; only
// TRADE_SUCCESS and TRADE_FINISHED are a payment; otherwise cancel at once after the last query, and repeat the cancel until it
// is answered. On top of them stands one rule of our own: a cancel is believed only when a query confirms it.
//
// The package does not talk to a gateway (qrpay/alipay does), does not keep anything (the journal does) and does not compute what
// a buyer gets back when an instalment purchase is refunded: the wallet decides that.
package qrpay
