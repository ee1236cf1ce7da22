package alipay

import (
	"strings"

	"posd/qrpay"
)

// words is what the cashier is told: what happened and what to do.
type words struct{ zh, en string }

// texts has the sub codes of alipay.trade.pay and alipay.trade.precreate that a shop meets.
var texts = map[string]words{
	"ACQ.PAYMENT_AUTH_CODE_INVALID":              {"付款码已失效或已使用，请顾客刷新后重扫", "Payment code expired or already used: ask for a fresh one"},
	"ACQ.BUYER_BALANCE_NOT_ENOUGH":               {"顾客余额或额度不足，请换一种付款方式", "Buyer's balance or credit is not enough: pay another way"},
	"ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH":      {"顾客银行卡余额不足，请换一种付款方式", "Not enough money on the buyer's bank card: pay another way"},
	"ACQ.ERROR_BALANCE_PAYMENT_DISABLE":          {"顾客已关闭余额支付，请换一种付款方式", "Buyer has switched off paying from the balance: pay another way"},
	"ACQ.NO_PAYMENT_INSTRUMENTS_AVAILABLE":       {"顾客没有可用的付款方式", "Buyer has no way to pay that this sale allows"},
	"ACQ.PAYMENT_REQUEST_HAS_RISK":               {"支付宝认为有风险，已拒绝，请换一种付款方式", "Refused by Alipay's risk check: pay another way"},
	"ACQ.PAYMENT_FAIL":                           {"支付失败，请换一种付款方式", "Payment failed: pay another way"},
	"ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR":   {"超过顾客当日付款限额", "Beyond the buyer's limit for today"},
	"ACQ.BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR": {"超过顾客当月付款限额", "Beyond the buyer's limit for this month"},
	"ACQ.BEYOND_PAY_RESTRICTION":                 {"商户收款额度超限，请联系支付宝", "Beyond the merchant's limit: call Alipay"},
	"ACQ.BEYOND_PER_RECEIPT_RESTRICTION":         {"超过商户单笔收款限额", "Beyond the merchant's limit for one sale"},
	"ACQ.PRODUCT_AMOUNT_LIMIT_ERROR":             {"超过该产品的收款限额", "Beyond the limit of this payment product"},
	"ACQ.TOTAL_FEE_EXCEED":                       {"金额超出允许范围", "Amount is out of range"},
	"ACQ.BUYER_SELLER_EQUAL":                     {"买家与商家不能是同一账户", "Buyer and seller are the same account"},
	"ACQ.TRADE_BUYER_NOT_MATCH":                  {"付款人与订单不符，请重新下单", "Not the buyer of this order: start the sale again"},
	"ACQ.BUYER_ENABLE_STATUS_FORBID":             {"顾客的支付宝账户不可用", "The buyer's Alipay account cannot pay"},
	"ACQ.PULL_MOBILE_CASHIER_FAIL":               {"顾客手机无法打开付款页面，请刷新付款码", "The buyer's phone could not open the payment page: fresh code"},
	"ACQ.MOBILE_PAYMENT_SWITCH_OFF":              {"顾客已关闭手机付款", "Buyer has switched off paying by phone"},
	"ACQ.USER_FACE_PAYMENT_SWITCH_OFF":           {"顾客已关闭付款码功能", "Buyer has switched off payment codes"},
	"ACQ.ERROR_BUYER_CERTIFY_LEVEL_LIMIT":        {"顾客须先在支付宝完成实名认证", "Buyer must first prove identity in Alipay"},
	"ACQ.SELLER_BEEN_BLOCKED":                    {"商家账户被冻结，请联系支付宝", "The merchant's account is blocked: call Alipay"},
	"ACQ.PARTNER_ERROR":                          {"商户编号有误，请联系技术人员", "Merchant number is wrong: call the technician"},
	"ACQ.ACCESS_FORBIDDEN":                       {"未开通此服务，请联系支付宝", "This service is not open for the merchant: call Alipay"},
	"ACQ.INVALID_PARAMETER":                      {"参数有误，请联系技术人员", "A parameter is wrong: call the technician"},
	"ACQ.INVALID_STORE_ID":                       {"门店编号无效，请联系技术人员", "Store number is not valid: call the technician"},
	"ACQ.EXIST_FORBIDDEN_WORD":                   {"商品名称含禁用词，请联系技术人员", "The subject holds a forbidden word: call the technician"},
	"ACQ.CONTEXT_INCONSISTENT":                   {"订单号重复且内容不同，请重新下单", "Order number already used for something else: start the sale again"},
	"ACQ.TRADE_HAS_CLOSE":                        {"订单已关闭，请重新下单", "The order is closed: start the sale again"},
	"ACQ.TRADE_NOT_EXIST":                        {"订单不存在", "No such order"},
	"ACQ.SELLER_BALANCE_NOT_ENOUGH":              {"商家余额不足，无法退款", "The merchant's balance is too low to give the money back"},
	"isv.insufficient-isv-permissions":           {"未开通此服务，请联系支付宝", "This service is not open for the merchant: call Alipay"},
	"isv.invalid-signature":                      {"签名有误，请联系技术人员检查密钥", "Signature is wrong: have the technician check the keys"},
	"isv.missing-signature":                      {"签名有误，请联系技术人员检查密钥", "Signature is wrong: have the technician check the keys"},
	"isv.invalid-app-id":                         {"应用编号无效，请联系技术人员", "Application number is not valid: call the technician"},
	"isv.invalid-timestamp":                      {"终端时间不准，请校准后重试", "The terminal's clock is wrong: set it and try again"},
	"isv.app-call-limited":                       {"请求过于频繁，请稍后再试", "Too many requests: try again in a moment"},
	"aop.invalid-auth-token":                     {"商户授权已失效，请联系服务商", "The merchant's authorisation has ended: call the service provider"},
}

// ofHuabei replaces words where the sale was restricted to Huabei and more can therefore be said.
var ofHuabei = map[string]words{
	"ACQ.BUYER_BALANCE_NOT_ENOUGH":         {"顾客的花呗额度不足，请换一种付款方式", "Not enough Huabei credit: pay another way"},
	"ACQ.NO_PAYMENT_INSTRUMENTS_AVAILABLE": {"顾客未开通花呗或花呗不可用", "Buyer has no Huabei, or it cannot be used"},
	"ACQ.ACCESS_FORBIDDEN":                 {"商户未开通花呗（分期）收款，请联系支付宝", "Huabei is not open for this merchant: call Alipay"},
}

// Text is what the cashier is told about a sub code. A code without words of its own gets general ones that name it.
func Text(subCode string) (zh, en string) { return TextFor(subCode, "") }

// TextFor is Text for a sale restricted to a channel (qrpay.Order.Channel).
func TextFor(subCode, channel string) (zh, en string) {
	if channel == qrpay.ChannelHuabei || channel == qrpay.ChannelHuabeiInstalments {
		if w, ok := ofHuabei[subCode]; ok {
			return w.zh, w.en
		}
	}
	if w, ok := texts[subCode]; ok {
		return w.zh, w.en
	}
	code := word(subCode)
	if code == "" {
		return "支付宝未受理此笔交易", "Alipay did not accept this sale"
	}
	code = strings.TrimPrefix(code, "ACQ.")
	return "支付宝未受理此笔交易（" + code + "）", "Alipay did not accept this sale (" + code + ")"
}
