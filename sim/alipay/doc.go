// Package alipay is a virtual Alipay: a gateway for face-to-face payment over HTTPS on 127.0.0.1, a ledger of trades, and the
// buyers' phones with their balances, Huabei credit and habits.
//
// It speaks alipay.trade.pay, precreate, query, cancel, refund and alipay.trade.fastpay.refund.query as the public interface
// description tells them: form parameters signed with RSA2 (checked here by our own code, not by a library), JSON answers with the
// signature over the bytes of the answer node, slashes escaped and labelled text/html, as the real gateway does. Instalment fees
// are worked out here a second time, with rational numbers, so that the terminal's figures are judged by someone else.
//
// Time enters by a clock and is looked at when something is asked: no timer runs. Fault switches (Faults, SetFault) make the
// gateway lie, stall and vanish. It moves no money but the figures in its phones, and it does not send notifications.
package alipay
