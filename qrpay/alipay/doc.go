// Package alipay is the way to the Alipay gateway for face-to-face payment (当面付): alipay.trade.pay for a scanned code,
// alipay.trade.precreate for a shown one, alipay.trade.query and alipay.trade.cancel, with Huabei (花呗) and its instalments.
// It is written to the public interface description of these four methods (opendocs.alipay.com, API version 1.0, RSA2).
//
// # Who signs, who believes
//
// Requests are put together and signed by github.com/smartwalle/alipay/v3. Sending and believing are done here, because the
// library's own way
//
//   - reads a body of any length,
//   - follows redirects,
//   - takes the last of two equal JSON keys,
//   - hands out an unsigned error like a signed one,
//   - fetches a missing verification key from the network while it answers,
//   - calls code 10003 (the buyer has not confirmed yet) a success.
//
// An answer is believed when it came over TLS from the configured authority with HTTP status 200, is at most 64 KiB of valid
// UTF-8 JSON without a key given twice, holds exactly the node of the method asked, and when the signature over the raw bytes of
// that node is right for the one configured key. Everything else is qrpay.Unknown with an error that says why. The Content-Type
// is not looked at: the gateway labels its JSON text/html.
//
// # What an answer becomes
//
// The error of a method is a technical cause for the log; a business refusal is a Result. Whenever the error is not nil the status
// is Unknown. The one Unknown without an error is a cancel that asks to be repeated (Result.Retry). Paid needs code 10000 (and
// TRADE_SUCCESS or TRADE_FINISHED in a query) and the same order number, amount and currency. Decisive amounts must be written as
// money.Parse reads them, as a JSON string or a JSON number (the interface description shows both); amounts that only inform
// (fund_bill_list, buyer_pay_amount) are left out of the Result when they cannot be read.
//
// # What it will not do
//
// It never repeats a request, keeps no connection open between two requests (so that net/http has nothing to repeat either), and
// uses no proxy. Refunds, notifications and content encryption are not here. A shown code that nobody has scanned is unknown to
// the gateway even after a cancel; its own life (Config.OrderLife) ends it.
package alipay
