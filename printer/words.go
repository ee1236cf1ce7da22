package printer

import "strings"

// pair is a text in both languages.
type pair struct{ zh, en string }

func (p pair) in(lang string) string {
	if lang == "en" {
		return p.en
	}
	return p.zh
}

// word is a fixed text of a receipt.
type word int

const (
	wCardTitle word = iota
	wWalletTitle
	wNotice
	wMerchantCopy
	wCardholderCopy
	wBuyerCopy
	wDuplicate
	wMerchant
	wMID
	wTID
	wOperator
	wAcquirer
	wIssuer
	wCard
	wScheme
	wType
	wBatch
	wVoucher
	wAuth
	wRRN
	wTime
	wAmount
	wApproved
	wDeclined
	wReversed
	wReversedNote
	wReason
	wSign
	wAgree
	wPINVerified
	wNoCVM
	wOrder
	wTradeNo
	wBuyer
	wFunds
	wFundsUnknown
	wPeriods
	wPeriodsValue
	wFirst
	wEach
	wFee
	wFeePayer
	wSellerPays
	wBuyerPays
	wBuyerTotal
	wSellerNet
	wScanToRefund
	wordCount
)

var words = [wordCount]pair{
	wCardTitle:      {"POS 签购单", "POS SALES SLIP"},
	wWalletTitle:    {"扫码支付凭证", "WALLET PAYMENT"},
	wNotice:         {"交易结果通知 NOTICE", "TRANSACTION NOTICE"},
	wMerchantCopy:   {"商户存根 MERCHANT COPY", "MERCHANT COPY"},
	wCardholderCopy: {"持卡人存根 CUSTOMER COPY", "CUSTOMER COPY"},
	wBuyerCopy:      {"顾客存根 CUSTOMER COPY", "CUSTOMER COPY"},
	wDuplicate:      {"*** 重打印 DUPLICATE ***", "*** DUPLICATE ***"},
	wMerchant:       {"商户名称", "Merchant"},
	wMID:            {"商户编号", "Merchant no."},
	wTID:            {"终端编号", "Terminal no."},
	wOperator:       {"操作员号", "Operator"},
	wAcquirer:       {"收单机构", "Acquirer"},
	wIssuer:         {"发卡机构", "Issuer"},
	wCard:           {"卡号", "Card no."},
	wScheme:         {"卡组织", "Card scheme"},
	wType:           {"交易类型", "Transaction"},
	wBatch:          {"批次号", "Batch no."},
	wVoucher:        {"凭证号", "Voucher no."},
	wAuth:           {"授权码", "Auth. code"},
	wRRN:            {"参考号", "Reference no."},
	wTime:           {"日期/时间", "Date/time"},
	wAmount:         {"金额", "Amount"},
	wApproved:       {"交易成功 APPROVED", "APPROVED"},
	wDeclined:       {"交易失败 DECLINED", "DECLINED"},
	wReversed:       {"交易已撤销 REVERSED", "REVERSED"},
	wReversedNote:   {"本笔交易已撤销，未收取款项", "This transaction was taken back. No money was collected."},
	wReason:         {"原因", "Reason"},
	wSign:           {"持卡人签名", "Cardholder signature"},
	wAgree:          {"本人确认以上交易，同意将其记入本卡账户", "I acknowledge the above transaction and agree that it is charged to this card account."},
	wPINVerified:    {"已验证密码，无需签名", "PIN verified, no signature required"},
	wNoCVM:          {"免密免签", "No PIN or signature required"},
	wOrder:          {"商户订单号", "Order no."},
	wTradeNo:        {"交易号", " trade no."}, // after the wallet's name
	wBuyer:          {"付款账号", "Payer"},
	wFunds:          {"付款方式", "Paid with"},
	wFundsUnknown:   {"钱包未告知", "Not told by the wallet"},
	wPeriods:        {"分期期数", "Instalments"},
	wPeriodsValue:   {"期", " months"}, // after the number
	wFirst:          {"首期还款", "First payment"},
	wEach:           {"其后每期", "Each payment after"},
	wFee:            {"分期手续费", "Instalment fee"},
	wFeePayer:       {"手续费承担", "Fee borne by"},
	wSellerPays:     {"商家贴息", "merchant"},
	wBuyerPays:      {"用户承担", "buyer"},
	wBuyerTotal:     {"买家共付", "Buyer pays in all"},
	wSellerNet:      {"预计结算金额", "To be settled"},
	wScanToRefund:   {"退款请扫描此码", "Scan for a refund"},
}

func (w word) in(lang string) string { return words[w].in(lang) }

// Transaction types as merchants know them from other terminals.
var typeNames = map[string]pair{
	"sale":                     {"消费", "SALE"},
	"card-sale":                {"消费", "SALE"},
	"void":                     {"消费撤销", "VOID"},
	"refund":                   {"退货", "REFUND"},
	"preauth":                  {"预授权", "PRE-AUTH"},
	"preauth-void":             {"预授权撤销", "PRE-AUTH VOID"},
	"preauth-completion":       {"预授权完成", "PRE-AUTH COMPLETION"},
	"preauth-completion-void":  {"预授权完成撤销", "COMPLETION VOID"},
	"offline-sale":             {"离线消费", "OFFLINE SALE"},
	"chip-offline-sale":        {"脱机消费", "CHIP OFFLINE SALE"},
	"wallet-sale":              {"扫码消费", "WALLET SALE"},
	"wallet-void":              {"扫码撤销", "WALLET VOID"},
	"wallet-refund":            {"扫码退货", "WALLET REFUND"},
	"wallet-instalment-sale":   {"分期消费", "INSTALMENT SALE"},
	"wallet-instalment-refund": {"分期退货", "INSTALMENT REFUND"},
}

// Entry modes; the letter that acquirers ask for behind the card number is part of the text.
var entryNames = map[string]pair{
	"chip":        {"插卡 I", "chip (I)"},
	"contactless": {"非接 C", "contactless (C)"},
	"magstripe":   {"刷卡 S", "swiped (S)"},
	"swipe":       {"刷卡 S", "swiped (S)"},
	"fallback":    {"降级刷卡 F", "fallback (F)"},
	"manual":      {"手输 M", "keyed (M)"},
}

var walletNames = map[string]pair{
	"alipay":   {"支付宝", "Alipay"},
	"wechat":   {"微信支付", "WeChat Pay"},
	"unionpay": {"银联二维码", "UnionPay QR"},
}

// Sources of a wallet's money, by the gateway's code in lower case: what alipay.trade.pay and its query answer in
// fund_bill_list (PCREDIT, ALIPAYACCOUNT, ...) and what enable_pay_channels names (pcredit, balance, ...).
var fundNames = map[string]pair{
	"pcredit":               {"花呗", "Huabei"},
	"pcreditpayinstallment": {"花呗分期", "Huabei instalments"},
	"credit_group":          {"信用支付", "Credit"},
	"alipayaccount":         {"支付宝余额", "Alipay balance"},
	"balance":               {"余额", "Balance"},
	"moneyfund":             {"余额宝", "Yu'e Bao"},
	"financeaccount":        {"余额宝", "Yu'e Bao"},
	"bankcard":              {"银行卡", "Bank card"},
	"bankpay":               {"网银", "Online banking"},
	"debitcardexpress":      {"借记卡快捷", "Debit card"},
	"creditcardexpress":     {"信用卡快捷", "Credit card"},
	"creditcardcartoon":     {"信用卡卡通", "Credit card"},
	"creditcard":            {"信用卡", "Credit card"},
	"cartoon":               {"卡通", "Bank card"},
	"coupon":                {"支付宝红包", "Alipay coupon"},
	"point":                 {"集分宝", "Points"},
	"discount":              {"折扣券", "Discount"},
	"promotion":             {"优惠", "Promotion"},
	"voucher":               {"代金券", "Voucher"},
	"mdiscount":             {"商户优惠券", "Merchant discount"},
	"mcoupon":               {"商户红包", "Merchant coupon"},
	"mcard":                 {"商家储值卡", "Merchant card"},
	"pcard":                 {"预付卡", "Prepaid card"},
	"honeypay":              {"亲情卡", "Honey Pay"},
}

func lookup(table map[string]pair, key, lang string) (string, bool) {
	if p, ok := table[strings.ToLower(key)]; ok {
		return p.in(lang), true
	}
	return key, false
}

// TypeName is the name of a transaction type; the key itself and false when the table has none.
func TypeName(key, lang string) (string, bool) { return lookup(typeNames, key, lang) }

// EntryName is how the card was read, with the letter that acquirers ask for (I, C, S, F, M).
func EntryName(key, lang string) (string, bool) { return lookup(entryNames, key, lang) }

// WalletName is the name of a wallet as its users know it.
func WalletName(key, lang string) (string, bool) { return lookup(walletNames, key, lang) }

// FundName is the name of a source of a wallet's money, whatever the case of the gateway's code.
func FundName(channel, lang string) (string, bool) { return lookup(fundNames, channel, lang) }
