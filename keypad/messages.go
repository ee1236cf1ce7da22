package keypad

// The messages of the terminal. Flows name them; only this file knows the words. Chinese wording follows what cashiers know from
// the terminals of Chinese acquirers: 签到, 凭证号, 参考号, 存根, 冲正.
const (
	// Names of keys and what they do, for the hint line.
	HintOK        Msg = "hint.ok"
	HintClear     Msg = "hint.clear"
	HintCancel    Msg = "hint.cancel"
	HintBack      Msg = "hint.back"
	HintMove      Msg = "hint.move"
	HintMenu      Msg = "hint.menu"
	HintReprint   Msg = "hint.reprint"
	HintRetry     Msg = "hint.retry"
	HintDone      Msg = "hint.done"
	HintPrint     Msg = "hint.print"
	HintSkip      Msg = "hint.skip"
	HintLang      Msg = "hint.lang"
	KeyNameEnter  Msg = "key.enter"
	KeyNameClear  Msg = "key.clear"
	KeyNameCancel Msg = "key.cancel"
	KeyNameMenu   Msg = "key.menu"

	// Status bar.
	StatusOwed     Msg = "status.owed"
	StatusOnline   Msg = "status.online"
	StatusOffline  Msg = "status.offline"
	StatusBusy     Msg = "status.busy"
	StatusPaper    Msg = "status.paper"
	StatusNoKeypad Msg = "status.keypad"
	StatusTraining Msg = "status.training"
	StatusOperator Msg = "status.operator"

	// Sales without the bank, calls to it, and messages to it behind a sale.
	OfflineApproved  Msg = "offline.approved"
	OfflineFull      Msg = "offline.full"
	CallIssuer       Msg = "issuer.call"
	CallIssuerBody   Msg = "issuer.call.body"
	CallIssuerCode   Msg = "issuer.call.code"
	CallIssuerBack   Msg = "issuer.call.back"
	AdviceScript     Msg = "advice.script"
	AdviceScriptBody Msg = "advice.script.body"
	AdviceSale       Msg = "advice.sale"
	AdviceSaleBody   Msg = "advice.sale.body"

	// Idle screen and amounts.
	IdleTitle    Msg = "idle.title"
	IdleStarting Msg = "idle.starting"
	IdleNotReady Msg = "idle.notready"
	AmountTitle  Msg = "amount.title"
	AmountZero   Msg = "amount.zero"
	AmountMax    Msg = "amount.max"
	AmountBad    Msg = "amount.bad"
	AmountLabel  Msg = "amount.label"
	TextShort    Msg = "text.short"
	TextLong     Msg = "text.long"

	// How to pay.
	MethodTitle      Msg = "method.title"
	MethodCard       Msg = "method.card"
	MethodScan       Msg = "method.scan"
	MethodShow       Msg = "method.show"
	MethodHuabei     Msg = "method.huabei"
	MethodHuabeiScan Msg = "method.huabei.scan"
	MethodHuabeiShow Msg = "method.huabei.show"
	MethodNone       Msg = "method.none"

	// Cards.
	CardInsert      Msg = "card.insert"
	CardInsertBody  Msg = "card.insert.body"
	CardReading     Msg = "card.reading"
	CardKeep        Msg = "card.keep"
	CardRemove      Msg = "card.remove"
	CardRemoveBody  Msg = "card.remove.body"
	CardApp         Msg = "card.app"
	CardNumber      Msg = "card.number"
	CardAgain       Msg = "card.again"
	CardBad         Msg = "card.bad"
	CardNotAccepted Msg = "card.notaccepted"
	CardBlocked     Msg = "card.blocked"
	CardLost        Msg = "card.lost"
	CardOther       Msg = "card.other"
	CardReaderGone  Msg = "card.reader.gone"

	// Magnetic stripe.
	CardInsertOrSwipe Msg = "card.swipe"
	SwipeBody         Msg = "swipe.body"
	SwipeAgain        Msg = "swipe.again"
	SwipeInstead      Msg = "swipe.instead"
	UseChip           Msg = "swipe.chip"
	StripeGone        Msg = "swipe.gone"

	// PIN entry at the PIN pad.
	PINTitle   Msg = "pin.title"
	PINBody    Msg = "pin.body"
	PINAgain   Msg = "pin.again"
	PINLast    Msg = "pin.last"
	PINPadGone Msg = "pin.pad.gone"
	PINNeeded  Msg = "pin.needed"

	// Wallet codes.
	ScanTitle     Msg = "scan.title"
	ScanBody      Msg = "scan.body"
	ScanBad       Msg = "scan.bad"
	ScanWallet    Msg = "scan.wallet"
	ScannerGone   Msg = "scan.gone"
	ShowTitle     Msg = "show.title"
	ShowBody      Msg = "show.body"
	BuyerWait     Msg = "buyer.wait"
	BuyerWaitBody Msg = "buyer.wait.body"

	// Huabei instalments.
	PlanTitle        Msg = "plan.title"
	PlanWhole        Msg = "plan.whole"
	PlanPeriods      Msg = "plan.periods"
	PlanEach         Msg = "plan.each.detail"
	PlanConfirm      Msg = "plan.confirm"
	PlanRowPeriods   Msg = "plan.row.periods"
	PlanRowFirst     Msg = "plan.row.first"
	PlanRowEach      Msg = "plan.row.each"
	PlanRowFee       Msg = "plan.row.fee"
	PlanRowFeeBuyer  Msg = "plan.row.fee.buyer"
	PlanRowFeeSeller Msg = "plan.row.fee.seller"
	PlanRowTotal     Msg = "plan.row.total"
	PlanRowNet       Msg = "plan.row.net"
	PlanAmount       Msg = "plan.amount"
	PlanNone         Msg = "plan.none"
	PayerBuyer       Msg = "payer.buyer"
	PayerSeller      Msg = "payer.seller"

	// Under way.
	BusyConnect    Msg = "busy.connect"
	BusySend       Msg = "busy.send"
	BusyHost       Msg = "busy.host"
	BusyWallet     Msg = "busy.wallet"
	BusyQuery      Msg = "busy.query"
	BusyCancel     Msg = "busy.cancel"
	BusySettle     Msg = "busy.settle"
	BusySettleBody Msg = "busy.settle.body"
	BusyPrint      Msg = "busy.print"
	BusyStop       Msg = "busy.stop"
	BusyWait       Msg = "busy.wait"

	// How it ended.
	Approved     Msg = "result.approved"
	Declined     Msg = "result.declined"
	NoMoney      Msg = "result.nomoney"
	Unknown      Msg = "result.unknown"
	UnknownBody  Msg = "result.unknown.body"
	UnknownNext  Msg = "result.unknown.next"
	UnknownCard  Msg = "result.unknown.card"
	Reversed     Msg = "result.reversed"
	ReversedBody Msg = "result.reversed.body"
	Cancelled    Msg = "result.cancelled"
	TimedOut     Msg = "result.timeout"
	AuthCode     Msg = "result.auth"
	RefNo        Msg = "result.ref"
	TraceNo      Msg = "result.trace"
	OrderNo      Msg = "result.order"
	CallHelp     Msg = "result.help"
	TryAgain     Msg = "result.again"

	// Why a host said no.
	WhyReferIssuer  Msg = "why.refer"
	WhyFunds        Msg = "why.funds"
	WhyPIN          Msg = "why.pin"
	WhyPINTries     Msg = "why.pintries"
	WhyExpired      Msg = "why.expired"
	WhyLimit        Msg = "why.limit"
	WhyCardInvalid  Msg = "why.cardinvalid"
	WhyNotAllowed   Msg = "why.notallowed"
	WhyLost         Msg = "why.lost"
	WhyMerchant     Msg = "why.merchant"
	WhyHostFail     Msg = "why.host"
	WhyCardDeclined Msg = "why.card"
	WhyCredit       Msg = "why.credit"
	WhyCodeExpired  Msg = "why.codeexpired"
	WhyBuyerNo      Msg = "why.buyerno"
	WhyOther        Msg = "why.other"

	// What is wrong and what to do.
	HostDown      Msg = "host.down"
	WalletDown    Msg = "wallet.down"
	HostDownBody  Msg = "host.down.body"
	HostDistrust  Msg = "host.distrust"
	HostAnswerBad Msg = "host.answer.bad"
	OwedFirst     Msg = "owed.first"
	OwedFirstBody Msg = "owed.first.body"
	DeviceCheck   Msg = "device.check"
	JournalFull   Msg = "journal.full"
	ConfigBad     Msg = "config.bad"
	NotSignedOn   Msg = "signon.not"
	SignOn        Msg = "signon.title"
	SignOnBusy    Msg = "signon.busy"
	SignOnDone    Msg = "signon.done"
	SignOnFailed  Msg = "signon.failed"
	EchoDone      Msg = "echo.done"

	// Paper.
	PaperOut       Msg = "paper.out"
	PaperOutBody   Msg = "paper.out.body"
	PaperCover     Msg = "paper.cover"
	PaperCoverBody Msg = "paper.cover.body"
	PaperHot       Msg = "paper.hot"
	PaperHotBody   Msg = "paper.hot.body"
	PaperOffline   Msg = "paper.offline"
	PaperSafe      Msg = "paper.safe"
	PaperSign      Msg = "paper.sign"
	PaperTear      Msg = "paper.tear"
	PaperTearBody  Msg = "paper.tear.body"
	ReprintNone    Msg = "reprint.none"

	// Menus.
	MenuTitle    Msg = "menu.title"
	MenuSale     Msg = "menu.sale"
	MenuReprint  Msg = "menu.reprint"
	MenuLang     Msg = "menu.lang"
	MenuSignOn   Msg = "menu.signon"
	MenuSettle   Msg = "menu.settle"
	MenuEcho     Msg = "menu.echo"
	MenuInfo     Msg = "menu.info"
	MenuEmpty    Msg = "menu.empty"
	InfoMerchant Msg = "info.merchant"
	InfoTerminal Msg = "info.terminal"
	InfoVersion  Msg = "info.version"
	InfoOwed     Msg = "info.owed"
)

// message is one entry: both languages side by side, with the same verbs in the same order.
type message struct{ zh, en string }

var messages = map[Msg]message{
	// Names of keys and what they do, for the hint line.
	HintOK:        {"确定", "OK"},
	HintClear:     {"退格", "Correct"},
	HintCancel:    {"取消", "Cancel"},
	HintBack:      {"返回", "Back"},
	HintMove:      {"选择", "Move"},
	HintMenu:      {"菜单", "Menu"},
	HintReprint:   {"重打", "Reprint"},
	HintRetry:     {"重试", "Try again"},
	HintDone:      {"完成", "Done"},
	HintPrint:     {"打印", "Print"},
	HintSkip:      {"跳过", "Skip"},
	HintLang:      {"English", "中文"},
	KeyNameEnter:  {"确认", "Enter"},
	KeyNameClear:  {"清除", "Clear"},
	KeyNameCancel: {"取消", "Cancel"},
	KeyNameMenu:   {"菜单", "Menu"},

	// Status bar.
	StatusOwed:     {"待处理 %d", "%d owed"},
	StatusOnline:   {"在线", "Online"},
	StatusOffline:  {"离线", "Offline"},
	StatusBusy:     {"通讯中", "Busy"},
	StatusPaper:    {"缺纸", "Paper"},
	StatusNoKeypad: {"键盘断开", "No keypad"},
	StatusTraining: {"演示", "DEMO"},
	StatusOperator: {"操作员 %s", "Op %s"},

	// Sales without the bank, calls to it, and messages to it behind a sale.
	OfflineApproved:  {"脱机批准", "Approved offline"},
	OfflineFull:      {"脱机交易已达上限", "No more sales without the bank"},
	CallIssuer:       {"请致电发卡行", "Call the card's bank"},
	CallIssuerBody:   {"电话号码印在卡片背面", "Its number is on the back of the card"},
	CallIssuerCode:   {"输入银行给出的 6 位授权码，取消即拒绝", "Type its 6-digit code; Cancel declines"},
	CallIssuerBack:   {"请致电发卡行取消授权码", "Call the bank to take its code back"},
	AdviceScript:     {"脚本结果通知失败", "Script notice not taken"},
	AdviceScriptBody: {"交易结果不变，请联系维护人员", "The sale is not affected. Call for help"},
	AdviceSale:       {"脱机交易上送失败", "Offline sale not taken"},
	AdviceSaleBody:   {"银行未接收此笔脱机消费，款项可能无法入账", "The bank has not taken this sale. The money may not come"},

	// Idle screen and amounts.
	IdleTitle:    {"输入金额开始收款", "Type an amount to start"},
	IdleStarting: {"正在启动", "Starting"},
	IdleNotReady: {"暂不能收款", "Not ready to sell"},
	AmountTitle:  {"收款金额", "Amount"},
	AmountZero:   {"请先输入金额", "Type an amount first"},
	AmountMax:    {"单笔最高 %s", "At most %s"},
	AmountBad:    {"金额超出限额", "Amount not allowed"},
	AmountLabel:  {"金额", "Amount"},
	TextShort:    {"至少输入 %d 位", "At least %d digits"},
	TextLong:     {"最多输入 %d 位", "At most %d digits"},

	// How to pay.
	MethodTitle:      {"选择支付方式", "Pay by"},
	MethodCard:       {"银行卡", "Bank card"},
	MethodScan:       {"扫付款码", "Scan customer's code"},
	MethodShow:       {"顾客扫码", "Customer scans"},
	MethodHuabei:     {"花呗分期", "Huabei instalments"},
	MethodHuabeiScan: {"花呗分期 · 扫付款码", "Huabei · scan customer's code"},
	MethodHuabeiShow: {"花呗分期 · 顾客扫码", "Huabei · customer scans"},
	MethodNone:       {"没有可用的支付方式", "No way to pay is available"},

	// Cards.
	CardInsert:      {"请插入银行卡", "Insert card"},
	CardInsertBody:  {"芯片朝前，插到底", "Chip first, push until it stops"},
	CardReading:     {"正在读卡", "Reading card"},
	CardKeep:        {"请勿拔卡", "Leave the card in"},
	CardRemove:      {"请取回卡片", "Take the card out"},
	CardRemoveBody:  {"交易已结束", "The transaction is finished"},
	CardApp:         {"请选择卡应用", "Choose the card's account"},
	CardNumber:      {"卡号", "Card"},
	CardAgain:       {"请重新插卡", "Insert the card again"},
	CardBad:         {"无法识别此卡", "This card cannot be read"},
	CardNotAccepted: {"不支持此卡", "Card not accepted here"},
	CardBlocked:     {"此卡已锁定", "This card is blocked"},
	CardLost:        {"卡片被过早拔出", "The card was taken out too soon"},
	CardOther:       {"请使用其他卡或支付方式", "Use another card or way to pay"},
	CardReaderGone:  {"读卡器没有响应", "Card reader does not answer"},

	// Magnetic stripe.
	CardInsertOrSwipe: {"请插卡或刷卡", "Insert or swipe card"},
	SwipeBody:         {"磁条朝下，匀速刷过", "Stripe down, at a steady pace"},
	SwipeAgain:        {"请重新刷卡", "Swipe the card again"},
	SwipeInstead:      {"芯片无法读取，请刷卡", "Chip not readable: swipe card"},
	UseChip:           {"此卡有芯片，请插卡", "Chip card: please insert it"},
	StripeGone:        {"刷卡器没有响应", "Stripe reader does not answer"},

	// PIN entry at the PIN pad.
	PINTitle:   {"请输入密码", "Enter PIN"},
	PINBody:    {"请顾客在密码键盘输入，按确认结束", "Use the PIN pad, then press Enter"},
	PINAgain:   {"密码错误，请重新输入", "Wrong PIN, try again"},
	PINLast:    {"密码错误，最后一次机会", "Wrong PIN, last try"},
	PINNeeded:  {"此卡必须输入密码", "This card needs its PIN"},
	PINPadGone: {"密码键盘没有响应", "PIN pad does not answer"},

	// Wallet codes.
	ScanTitle:     {"请扫描付款码", "Scan payment code"},
	ScanBody:      {"对准扫码窗口", "Hold the phone to the scanner"},
	ScanBad:       {"不是有效的付款码", "Not a payment code"},
	ScanWallet:    {"不支持此钱包", "This wallet is not accepted here"},
	ScannerGone:   {"扫码器没有响应", "Scanner does not answer"},
	ShowTitle:     {"请顾客扫码付款", "Customer: scan to pay"},
	ShowBody:      {"请使用支付宝扫码", "Open Alipay and scan"},
	BuyerWait:     {"等待顾客确认", "Waiting for the customer"},
	BuyerWaitBody: {"请顾客在手机上确认付款", "Confirm the payment on the phone"},

	// Huabei instalments.
	PlanTitle:        {"选择分期", "Choose instalments"},
	PlanWhole:        {"不分期", "Pay in one"},
	PlanPeriods:      {"%d 期", "%d months"},
	PlanEach:         {"每期 %s", "%s each"},
	PlanConfirm:      {"确认分期方案", "Confirm the plan"},
	PlanRowPeriods:   {"期数", "Instalments"},
	PlanRowFirst:     {"首期", "First"},
	PlanRowEach:      {"以后每期", "Then each"},
	PlanRowFee:       {"手续费", "Fee"},
	PlanRowFeeBuyer:  {"手续费 (顾客承担)", "Fee (customer pays)"},
	PlanRowFeeSeller: {"手续费 (商家承担)", "Fee (merchant pays)"},
	PlanRowTotal:     {"顾客共付", "Customer pays"},
	PlanRowNet:       {"商家实收", "Merchant gets"},
	PlanAmount:       {"订单金额", "Sale"},
	PlanNone:         {"此金额不能分期", "No instalments for this amount"},
	PayerBuyer:       {"顾客承担手续费", "Customer pays the fee"},
	PayerSeller:      {"商家承担手续费", "Merchant pays the fee"},

	// Under way.
	BusyConnect:    {"正在连接", "Connecting"},
	BusySend:       {"正在处理", "Processing"},
	BusyHost:       {"正在等待银行答复", "Waiting for the bank"},
	BusyWallet:     {"正在提交付款", "Sending the payment"},
	BusyQuery:      {"正在查询结果", "Asking for the result"},
	BusyCancel:     {"正在撤销", "Taking it back"},
	BusySettle:     {"正在处理未完成交易", "Finishing earlier transactions"},
	BusySettleBody: {"第 %d 笔，共 %d 笔", "%d of %d"},
	BusyPrint:      {"正在打印", "Printing"},
	BusyStop:       {"正在取消", "Cancelling"},
	BusyWait:       {"请稍候", "Please wait"},

	// How it ended.
	Approved:     {"交易成功", "Approved"},
	Declined:     {"交易失败", "Declined"},
	NoMoney:      {"未扣款", "No money was taken"},
	Unknown:      {"结果未知", "Result unknown"},
	UnknownBody:  {"可能已扣款，请勿重复收款", "Money may have been taken. Do not charge again."},
	UnknownNext:  {"终端将自动查明结果", "The terminal will find out by itself"},
	UnknownCard:  {"联网后自动冲正，请勿交付商品", "It will be reversed. Do not hand over the goods."},
	Reversed:     {"交易已冲正", "Taken back"},
	ReversedBody: {"暂扣款项将退回顾客", "Money held goes back to the customer"},
	Cancelled:    {"已取消", "Cancelled"},
	TimedOut:     {"操作超时", "Nobody pressed a key"},
	AuthCode:     {"授权码", "Auth. code"},
	RefNo:        {"参考号", "Ref. no."},
	TraceNo:      {"凭证号", "Trace no."},
	OrderNo:      {"订单号", "Order no."},
	CallHelp:     {"请联系客服，并告知代码", "Call the help desk and name the code"},
	TryAgain:     {"请重试", "Try again"},

	// Why a host said no.
	WhyReferIssuer:  {"请顾客联系发卡行", "Customer must call the bank"},
	WhyFunds:        {"余额不足", "Insufficient funds"},
	WhyPIN:          {"密码错误", "Wrong PIN"},
	WhyPINTries:     {"密码错误次数超限", "PIN tried too often"},
	WhyExpired:      {"卡片已过期", "Card expired"},
	WhyLimit:        {"超出交易限额", "Over the limit"},
	WhyCardInvalid:  {"无效卡号", "Invalid card number"},
	WhyNotAllowed:   {"不允许此交易", "Not allowed for this card"},
	WhyLost:         {"此卡不可用，请联系发卡行", "Card cannot be used; call the bank"},
	WhyMerchant:     {"商户未开通此业务", "Not enabled for this merchant"},
	WhyHostFail:     {"银行系统故障，请稍后再试", "Bank system fault, try later"},
	WhyCardDeclined: {"卡片拒绝交易", "The card declined"},
	WhyCredit:       {"花呗额度不足", "Not enough Huabei credit"},
	WhyCodeExpired:  {"付款码已失效，请顾客刷新", "Code expired; refresh it on the phone"},
	WhyBuyerNo:      {"顾客未付款", "The customer did not pay"},
	WhyOther:        {"被拒绝 (%s)", "Declined (%s)"},

	// What is wrong and what to do.
	HostDown:      {"无法连接银行", "Bank cannot be reached"},
	WalletDown:    {"无法连接支付平台", "Wallet cannot be reached"},
	HostDownBody:  {"未扣款，请检查网络后重试", "No money was taken. Check the network."},
	HostDistrust:  {"无法确认对方身份", "Host cannot be trusted"},
	HostAnswerBad: {"答复无法验证", "Answer cannot be verified"},
	OwedFirst:     {"有未完成交易，需先联网处理", "Earlier transactions must be finished first"},
	OwedFirstBody: {"请检查网络，终端会自动继续处理", "Check the network. It goes on by itself."},
	DeviceCheck:   {"请检查连接线后重试", "Check its cable, then try again"},
	ConfigBad:     {"配置错误，不能交易", "Configuration fault, cannot sell"},
	JournalFull:   {"存储故障，不能交易", "Storage fault, cannot sell"},
	NotSignedOn:   {"尚未签到", "Not signed on"},
	SignOn:        {"签到", "Sign on"},
	SignOnBusy:    {"正在签到", "Signing on"},
	SignOnDone:    {"签到成功", "Signed on"},
	SignOnFailed:  {"签到失败", "Sign-on failed"},
	EchoDone:      {"线路正常", "Link is working"},

	// Paper.
	PaperOut:       {"打印机缺纸", "Out of paper"},
	PaperOutBody:   {"请装纸，然后按确认", "Put in paper, then press Enter"},
	PaperCover:     {"打印机盖未关", "Printer cover open"},
	PaperCoverBody: {"请合上盖，然后按确认", "Close the cover, then press Enter"},
	PaperHot:       {"打印头过热", "Print head too hot"},
	PaperHotBody:   {"请稍候片刻", "Please wait a moment"},
	PaperOffline:   {"打印机没有响应", "Printer does not answer"},
	PaperSafe:      {"交易已成功并保存，可稍后重打", "Approved and saved; it can be reprinted"},
	PaperSign:      {"请顾客在存根上签名", "Customer signs the receipt"},
	PaperTear:      {"请撕下商户存根", "Tear off the merchant copy"},
	PaperTearBody:  {"按确认打印顾客联", "Enter prints the customer copy"},
	ReprintNone:    {"没有可重打的票据", "Nothing to reprint"},

	// Menus.
	MenuTitle:    {"菜单", "Menu"},
	MenuSale:     {"收款", "Sale"},
	MenuReprint:  {"重打上一笔", "Reprint last receipt"},
	MenuLang:     {"English", "中文"},
	MenuSignOn:   {"签到", "Sign on"},
	MenuSettle:   {"处理未完成交易", "Finish owed items"},
	MenuEcho:     {"线路测试", "Test the link"},
	MenuInfo:     {"终端信息", "About this terminal"},
	MenuEmpty:    {"没有可选项", "Nothing to choose"},
	InfoMerchant: {"商户号", "Merchant"},
	InfoTerminal: {"终端号", "Terminal"},
	InfoVersion:  {"版本", "Version"},
	InfoOwed:     {"未完成交易", "Owed"},
}
