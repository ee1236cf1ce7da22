package alipay

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"posd/internal/money"
	"posd/qrpay"
)

// Codes of the gateway (public error codes of the open platform). 10003 is not a payment, though the signing library counts it as
// a success.
const (
	codeDone     = "10000"
	codeWaiting  = "10003"
	codeDown     = "20000" // service unavailable: nobody knows
	codeAuth     = "20001"
	codeMissing  = "40001"
	codeInvalid  = "40002"
	codeState    = "40003"
	codeBusiness = "40004"
	codeRate     = "40005"
	codeDenied   = "40006"
)

// CodeError is a signed answer by which nothing is known of the order: the service is not available, or its code has no meaning here.
type CodeError struct {
	Code, SubCode string
	Message       string
}

func (e *CodeError) Error() string {
	return fmt.Sprintf("alipay: gateway answers %s %s: %s", e.Code, e.SubCode, e.Message)
}

// answer is a verified node with its common fields.
type answer struct {
	object
	code, sub, message string
}

func newAnswer(o object) (answer, error) {
	a := answer{object: o}
	code, err := o.text("code")
	if err != nil {
		return answer{}, err
	}
	if len(code) != 5 || word(code) != code {
		return answer{}, &AnswerError{"code", o["code"].offset, "not a code of five digits"}
	}
	sub, err := o.text("sub_code")
	if err != nil {
		return answer{}, err
	}
	a.code, a.sub = code, word(sub)
	for _, name := range []string{"sub_msg", "msg"} {
		if s, _ := o.text(name); a.message == "" {
			a.message = clean(s, 200)
		}
	}
	return a, nil
}

// result starts a Result with the fields that every answer may have.
func (a answer) result() (qrpay.Result, error) {
	r := qrpay.Result{Code: a.code, SubCode: a.sub, Message: a.message}
	number, err := a.text("out_trade_no")
	if err != nil {
		return r, err
	}
	trade, err := a.text("trade_no")
	if err != nil {
		return r, err
	}
	r.Number, r.TradeNo = clean(number, 64), clean(trade, 64)
	return r, nil
}

// told adds the echoed amount; it must be there when the answer says Paid.
func (a answer) told(r *qrpay.Result, c money.Currency) error {
	if _, ok := a.object["total_amount"]; !ok && r.Status != qrpay.Paid {
		return nil
	}
	sum, err := a.amount("total_amount", c)
	if err != nil {
		return err
	}
	if cur, err := a.text("trans_currency"); err != nil || (cur != "" && cur != c.String()) {
		return &AnswerError{"trans_currency", a.object["trans_currency"].offset, "not the currency asked for"}
	}
	r.Amount = sum
	return nil
}

// inform adds what is shown and printed but decides nothing; what cannot be read is left out.
func (a answer) inform(r *qrpay.Result, c money.Currency) {
	if s, err := a.text("buyer_logon_id"); err == nil {
		r.Buyer = clean(s, 64)
	}
	if m, err := a.amount("buyer_pay_amount", c); err == nil {
		r.BuyerPay = m.Minor
	}
	if m, err := a.amount("receipt_amount", c); err == nil {
		r.Receipt = m.Minor
	}
	for _, name := range []string{"gmt_payment", "send_pay_date"} {
		if s, err := a.text(name); err == nil && r.PaidAt.IsZero() {
			if t, err := time.ParseInLocation(time.DateTime, s, shanghai); err == nil {
				r.PaidAt = t
			}
		}
	}
	for _, raw := range a.list("fund_bill_list") {
		o, err := members(raw)
		if err != nil {
			continue
		}
		channel, err := o.text("fund_channel")
		m, err2 := o.amount("amount", c)
		if err == nil && err2 == nil && channel != "" && len(r.Funds) < 16 {
			r.Funds = append(r.Funds, qrpay.Fund{Channel: word(channel), Minor: m.Minor})
		}
	}
	if m, ok := a.object["hb_fq_pay_info"]; ok {
		if o, err := members(m.raw); err == nil {
			s, _ := o.text("user_install_num")
			if n, err := strconv.ParseUint(s, 10, 8); err == nil {
				r.Periods = int(n)
			}
		}
	}
}

// unknown is what is left when the answer decides nothing.
func (a answer) unknown(r qrpay.Result) (qrpay.Result, error) {
	r.Status = qrpay.Unknown
	return r, &CodeError{a.code, a.sub, a.message}
}

// doubt keeps what the answer said for the log and takes its status away.
func doubt(r qrpay.Result, err error) (qrpay.Result, error) {
	r.Status = qrpay.Unknown
	return r, err
}

// doubtful are sub codes by which a request may have had an effect: the order must be queried.
var doubtful = map[string]bool{
	"ACQ.SYSTEM_ERROR":       true,
	"ACQ.TRADE_HAS_SUCCESS":  true, // this number has been paid: by this request, unless the query shows otherwise
	"ACQ.TRADE_HAS_FINISHED": true,
	"ACQ.TRADE_STATUS_ERROR": true,
}

// refused tells whether the answer to pay or precreate is a no for certain: the request was turned away at the door, or the
// business said no for a reason of its own.
func (a answer) refused() bool {
	up := strings.ToUpper(a.sub)
	if doubtful[a.sub] || strings.Contains(up, "UNKNOW") || strings.Contains(up, "SYSTEM") || strings.Contains(up, "TIMEOUT") {
		return false
	}
	switch a.code {
	case codeAuth, codeMissing, codeInvalid, codeState, codeRate, codeDenied:
		return true
	case codeBusiness:
		return strings.HasPrefix(a.sub, "ACQ.") && len(a.sub) > len("ACQ.")
	}
	return false
}

// paid reads the answer to alipay.trade.pay.
func (a answer) paid(number string, amount money.Amount) (qrpay.Result, error) {
	r, err := a.result()
	if err != nil {
		return doubt(r, err)
	}
	switch {
	case a.code == codeDone:
		r.Status = qrpay.Paid
	case a.code == codeWaiting:
		r.Status = qrpay.Waiting
	case a.refused():
		r.Status = qrpay.Refused
	default:
		return a.unknown(r)
	}
	return a.finish(r, number, amount)
}

// precreated reads the answer to alipay.trade.precreate.
func (a answer) precreated(number string, amount money.Amount) (qrpay.Result, error) {
	r, err := a.result()
	if err != nil {
		return doubt(r, err)
	}
	switch {
	case a.code == codeDone:
		qr, err := a.text("qr_code")
		if err != nil {
			return doubt(r, err)
		}
		if qr == "" || len(qr) > 512 || strings.ContainsFunc(qr, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
			return doubt(r, &AnswerError{"qr_code", a.object["qr_code"].offset, "not a code to show"})
		}
		if r.Number == "" {
			return doubt(r, &AnswerError{"out_trade_no", 0, "missing"})
		}
		r.Status = qrpay.Waiting
		if r, err = a.finish(r, number, amount); err == nil {
			r.QR = qr
		}
		return r, err
	case a.refused():
		r.Status = qrpay.Refused
		return a.finish(r, number, amount)
	}
	return a.unknown(r)
}

// queried reads the answer to alipay.trade.query.
func (a answer) queried(number string, amount money.Amount) (qrpay.Result, error) {
	r, err := a.result()
	if err != nil {
		return doubt(r, err)
	}
	if a.code == codeBusiness && a.sub == "ACQ.TRADE_NOT_EXIST" {
		r.Status = qrpay.NotFound
		return a.finish(r, number, amount)
	}
	if a.code != codeDone {
		return a.unknown(r)
	}
	status, err := a.text("trade_status")
	if err != nil {
		return doubt(r, err)
	}
	switch status {
	case "WAIT_BUYER_PAY":
		r.Status = qrpay.Waiting
	case "TRADE_SUCCESS", "TRADE_FINISHED":
		r.Status = qrpay.Paid
	case "TRADE_CLOSED":
		r.Status = qrpay.Closed
	default:
		return doubt(r, &AnswerError{"trade_status", a.object["trade_status"].offset, "not a known status"})
	}
	if r.Number == "" {
		return doubt(r, &AnswerError{"out_trade_no", 0, "missing"})
	}
	return a.finish(r, number, amount)
}

// cancelled reads the answer to alipay.trade.cancel.
func (a answer) cancelled(number string) (qrpay.Result, error) {
	r, err := a.result()
	if err != nil {
		return doubt(r, err)
	}
	if a.code != codeDone {
		return a.unknown(r)
	}
	retry, err := a.text("retry_flag")
	if err != nil {
		return doubt(r, err)
	}
	action, err := a.text("action")
	if err != nil {
		return doubt(r, err)
	}
	switch {
	case retry == "Y":
		r.Retry = true
	case retry != "N" && retry != "":
		return doubt(r, &AnswerError{"retry_flag", a.object["retry_flag"].offset, "neither Y nor N"})
	case action != "" && action != "close" && action != "refund":
		return doubt(r, &AnswerError{"action", a.object["action"].offset, "neither close nor refund"})
	default:
		r.Status = qrpay.Closed
		r.Refunded = action == "refund"
	}
	if r.Number != "" && r.Number != number {
		return doubt(r, &qrpay.MismatchError{Field: "order", Got: r.Number, Want: number})
	}
	return r, nil
}

// finish holds the answer against what was asked.
func (a answer) finish(r qrpay.Result, number string, amount money.Amount) (qrpay.Result, error) {
	if err := a.told(&r, amount.Currency); err != nil {
		return doubt(r, err)
	}
	a.inform(&r, amount.Currency)
	return r.For(number, amount)
}
