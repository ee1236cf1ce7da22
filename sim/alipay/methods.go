package alipay

import (
	"fmt"
	"strings"
	"time"
)

// field is a member of an answer, in order. Values are strings, or anything that encoding/json writes.
type field struct {
	name  string
	value any
}

func success(f ...field) []field {
	return append([]field{{"code", "10000"}, {"msg", "Success"}}, f...)
}

func (r *refusal) fields(number string) []field {
	msg := map[string]string{"40004": "Business Failed", "40001": "Missing Required Arguments", "40002": "Invalid Arguments", "20000": "Service Currently Unavailable"}[r.code]
	f := []field{{"code", r.code}, {"msg", msg}, {"sub_code", r.sub}, {"sub_msg", r.words}}
	if number != "" {
		f = append(f, field{"out_trade_no", number})
	}
	return f
}

// do carries out a request. The caller holds the lock.
func (g *Gateway) do(q request) []field {
	g.advance()
	var f []field
	var no *refusal
	switch q.method {
	case "alipay.trade.pay":
		f, no = g.pay(q.biz)
	case "alipay.trade.precreate":
		f, no = g.precreate(q.biz)
	case "alipay.trade.query":
		f, no = g.query(q.biz)
	case "alipay.trade.cancel":
		f, no = g.cancel(q.biz)
	case "alipay.trade.refund":
		f, no = g.refund(q.biz)
	case "alipay.trade.fastpay.refund.query":
		f, no = g.refundQuery(q.biz)
	default:
		no = &refusal{"40002", "isv.invalid-method", "不存在的方法名"}
	}
	if no != nil {
		return no.fields(q.biz.OutTradeNo)
	}
	return f
}

// again answers a repeated out_trade_no; known tells whether there is one.
func (g *Gateway) again(b business, fresh *trade) (old *trade, no *refusal) {
	old = g.find(b.OutTradeNo, "")
	switch {
	case old == nil:
		return nil, nil
	case old.print != fresh.print:
		return old, deny("CONTEXT_INCONSISTENT", "交易信息被篡改")
	case old.Status == tradeSuccess:
		return old, deny("TRADE_HAS_SUCCESS", "交易已被支付")
	case old.Status == tradeClosed:
		return old, deny("TRADE_HAS_CLOSE", "交易已经关闭")
	}
	return old, nil
}

func (g *Gateway) pay(b business) ([]field, *refusal) {
	t, no := g.sale(b)
	if no != nil {
		return nil, no
	}
	if b.Scene != "bar_code" {
		return nil, deny("INVALID_PARAMETER", "scene 无效")
	}
	if b.AuthCode == "" {
		return nil, &refusal{"40001", "isv.missing-auth-code", "缺少参数 auth_code"}
	}
	old, no := g.again(b, t)
	switch {
	case no != nil:
		return nil, no
	case old != nil && old.qr != "":
		return nil, deny("CONTEXT_INCONSISTENT", "交易信息被篡改")
	case old != nil:
		return g.waiting(old), nil
	}
	c := g.codes[b.AuthCode]
	if c == nil || c.used || g.clock().Sub(c.issued) > codeLife || g.clock().Before(c.issued) {
		return nil, deny("PAYMENT_AUTH_CODE_INVALID", "支付失败，获取顾客账户信息失败，请顾客刷新付款码后重新收款")
	}
	c.used = true
	paid, no := g.begin(t, c.phone)
	if no != nil {
		return nil, no
	}
	g.order = append(g.order, t)
	if !paid {
		return g.waiting(t), nil
	}
	return success(g.told(t, "gmt_payment")...), nil
}

// waiting is the answer of an order that the buyer has not confirmed: 10003.
func (g *Gateway) waiting(t *trade) []field {
	return []field{
		{"code", "10003"},
		{"msg", "order success pay inprocess"},
		{"trade_no", t.TradeNo},
		{"out_trade_no", t.Number},
		{"buyer_logon_id", t.phone.Login},
		{"total_amount", yuan(t.Amount)},
	}
}

// told is what is said of a paid trade. The time of payment has another name in each method.
func (g *Gateway) told(t *trade, paidAt string) []field {
	type bill struct {
		Channel string `json:"fund_channel"`
		Amount  string `json:"amount"`
	}
	f := []field{
		{"trade_no", t.TradeNo},
		{"out_trade_no", t.Number},
		{"buyer_logon_id", t.phone.Login},
		{"buyer_user_id", "2088000000000000"},
		{"total_amount", yuan(t.Amount)},
		{"receipt_amount", yuan(t.Amount)},
		{"buyer_pay_amount", yuan(t.Amount)},
		{"point_amount", "0.00"},
		{"invoice_amount", yuan(t.Amount)},
	}
	if t.Paid.IsZero() {
		return f
	}
	bills := []bill{}
	for _, x := range t.Funds {
		bills = append(bills, bill{x.Channel, yuan(x.Minor)})
	}
	f = append(f, field{paidAt, t.Paid.In(shanghai).Format(time.DateTime)}, field{"fund_bill_list", bills})
	if t.Periods > 0 {
		f = append(f, field{"hb_fq_pay_info", map[string]string{"user_install_num": fmt.Sprint(t.Periods)}})
	}
	return f
}

func (g *Gateway) precreate(b business) ([]field, *refusal) {
	t, no := g.sale(b)
	if no != nil {
		return nil, no
	}
	if b.QRTimeout != "" {
		life, ok := express(b.QRTimeout)
		if !ok {
			return nil, deny("INVALID_PARAMETER", "qr_code_timeout_express 无效")
		}
		if until := t.Created.Add(life); t.expires.IsZero() || until.Before(t.expires) {
			t.expires = until
		}
	}
	old, no := g.again(b, t)
	switch {
	case no != nil:
		return nil, no
	case old != nil && (old.qr == "" || old.Status != ""):
		return nil, deny("CONTEXT_INCONSISTENT", "交易信息被篡改")
	case old != nil:
		t = old
	default:
		g.serial++
		t.qr = fmt.Sprintf("https://qr.alipay.com/bax%05d%s", g.serial, strings.ToLower(randomWord(12)))
		g.order = append(g.order, t)
	}
	return success(field{"out_trade_no", t.Number}, field{"qr_code", t.qr}), nil
}

func (g *Gateway) query(b business) ([]field, *refusal) {
	if b.OutTradeNo == "" && b.TradeNo == "" {
		return nil, &refusal{"40001", "isv.missing-out-trade-no", "缺少参数 out_trade_no"}
	}
	t := g.find(b.OutTradeNo, b.TradeNo)
	if t == nil || t.phone == nil { // a shown code is not a trade until it is scanned
		return nil, deny("TRADE_NOT_EXIST", "交易不存在")
	}
	return success(append(g.told(t, "send_pay_date"), field{"trade_status", t.Status})...), nil
}

// cancelWindow is how long a trade can be cancelled; later only a refund takes it back.
const cancelWindow = 24 * time.Hour

func (g *Gateway) cancel(b business) ([]field, *refusal) {
	if b.OutTradeNo == "" && b.TradeNo == "" {
		return nil, &refusal{"40001", "isv.missing-out-trade-no", "缺少参数 out_trade_no"}
	}
	t := g.find(b.OutTradeNo, b.TradeNo)
	if t == nil {
		// A cancel of an order that never came is answered like any other.
		return success(field{"out_trade_no", b.OutTradeNo}, field{"retry_flag", "N"}), nil
	}
	method := "alipay.trade.cancel"
	if g.has("cancel-retry-always", method) || (g.has("cancel-retry", method) && !t.nagged) {
		t.nagged = true
		return success(field{"out_trade_no", t.Number}, field{"trade_no", t.TradeNo}, field{"retry_flag", "Y"}), nil
	}
	if g.clock().Sub(t.Created) > cancelWindow {
		return nil, deny("TRADE_CANCEL_TIME_OUT", "超过撤销时间范围")
	}
	action := "close"
	switch {
	case t.Status == waitBuyerPay && t.phone.Habit == Late && !t.cancelled:
		// The buyer confirms in this moment: the answer says closed, the ledger says paid. A query shows it, a second cancel mends it.
		if no := g.settle(t); no != nil {
			g.shut(t, "cancelled")
		}
	case t.Status == waitBuyerPay || t.Status == "":
		g.shut(t, "cancelled")
	case t.Status == tradeSuccess:
		g.giveBack(t, t.Amount-t.Refunded)
		action = "refund"
	case t.Refunded > 0:
		action = "refund"
	}
	t.cancelled = true
	f := []field{{"out_trade_no", t.Number}, {"retry_flag", "N"}, {"action", action}}
	if t.TradeNo != "" {
		f = append(f, field{"trade_no", t.TradeNo})
	}
	return success(f...), nil
}

func (g *Gateway) refund(b business) ([]field, *refusal) {
	t := g.find(b.OutTradeNo, b.TradeNo)
	amount, ok := fen(b.RefundAmount)
	switch {
	case t == nil || t.phone == nil:
		return nil, deny("TRADE_NOT_EXIST", "交易不存在")
	case !ok || amount < 1:
		return nil, deny("INVALID_PARAMETER", "refund_amount 无效")
	}
	id := b.OutRequestNo
	if id == "" {
		if amount != t.Amount {
			return nil, deny("INVALID_PARAMETER", "部分退款须传 out_request_no")
		}
		id = t.Number
	}
	change := "N"
	if done, repeat := t.refunds[id]; repeat {
		if done != amount {
			return nil, deny("DISCORDANT_REPEAT_REQUEST", "不一致的请求")
		}
	} else {
		switch {
		case t.Paid.IsZero():
			return nil, deny("TRADE_STATUS_ERROR", "交易状态不合法")
		case amount > t.Amount-t.Refunded:
			return nil, deny("REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额超限")
		}
		t.refunds[id] = amount
		g.giveBack(t, amount)
		change = "Y"
	}
	return success(
		field{"trade_no", t.TradeNo}, field{"out_trade_no", t.Number}, field{"buyer_logon_id", t.phone.Login},
		field{"fund_change", change}, field{"refund_fee", yuan(t.Refunded)}, field{"gmt_refund_pay", g.clock().In(shanghai).Format(time.DateTime)},
	), nil
}

func (g *Gateway) refundQuery(b business) ([]field, *refusal) {
	t := g.find(b.OutTradeNo, b.TradeNo)
	if t == nil || t.phone == nil {
		return nil, deny("TRADE_NOT_EXIST", "交易不存在")
	}
	f := []field{{"trade_no", t.TradeNo}, {"out_trade_no", t.Number}}
	if amount, ok := t.refunds[b.OutRequestNo]; ok {
		f = append(f, field{"out_request_no", b.OutRequestNo}, field{"total_amount", yuan(t.Amount)}, field{"refund_amount", yuan(amount)}, field{"refund_status", "REFUND_SUCCESS"})
	}
	return success(f...), nil
}
