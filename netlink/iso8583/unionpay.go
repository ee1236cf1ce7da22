package iso8583

// UnionPay is the field table of UnionPay direct-connect terminals. Acquirers run dialects of it: a profile replaces rows with
// Spec.With.
var UnionPay = mustSpec(map[int]Field{
	2:  {Name: "Primary account number", Zh: "主账号", Class: N, Form: LL, Max: 19},
	3:  {Name: "Processing code", Zh: "交易处理码", Class: N, Max: 6},
	4:  {Name: "Amount", Zh: "交易金额", Class: N, Max: 12},
	11: {Name: "System trace audit number", Zh: "受卡方系统跟踪号", Class: N, Max: 6},
	12: {Name: "Local time", Zh: "受卡方所在地时间", Class: N, Max: 6},
	13: {Name: "Local date", Zh: "受卡方所在地日期", Class: N, Max: 4},
	14: {Name: "Expiry date", Zh: "卡有效期", Class: N, Max: 4},
	15: {Name: "Settlement date", Zh: "清算日期", Class: N, Max: 4},
	22: {Name: "Point of service entry mode", Zh: "服务点输入方式码", Class: N, Max: 3},
	23: {Name: "Card sequence number", Zh: "卡序列号", Class: N, Max: 3, Right: true},
	25: {Name: "Point of service condition code", Zh: "服务点条件码", Class: N, Max: 2},
	26: {Name: "PIN capture code", Zh: "服务点PIN获取码", Class: N, Max: 2},
	32: {Name: "Acquiring institution", Zh: "受理方标识码", Class: N, Form: LL, Max: 11},
	35: {Name: "Track 2", Zh: "第二磁道数据", Class: Z, Form: LL, Max: 37},
	36: {Name: "Track 3", Zh: "第三磁道数据", Class: Z, Form: LLL, Max: 104},
	37: {Name: "Retrieval reference number", Zh: "检索参考号", Class: AN, Max: 12},
	38: {Name: "Authorisation code", Zh: "授权标识应答码", Class: AN, Max: 6},
	39: {Name: "Response code", Zh: "应答码", Class: AN, Max: 2},
	41: {Name: "Terminal identification", Zh: "受卡机终端标识码", Class: ANS, Max: 8},
	42: {Name: "Merchant identification", Zh: "受卡方标识码", Class: ANS, Max: 15},
	44: {Name: "Additional response data", Zh: "附加响应数据", Class: AN, Form: LL, Max: 25},
	48: {Name: "Additional data", Zh: "附加数据", Class: N, Form: LLL, Max: 322},
	49: {Name: "Currency", Zh: "交易货币代码", Class: AN, Max: 3},
	52: {Name: "PIN block", Zh: "个人标识码数据", Class: B, Max: 8},
	53: {Name: "Security control information", Zh: "安全控制信息", Class: N, Max: 16},
	54: {Name: "Additional amounts", Zh: "附加金额", Class: AN, Form: LLL, Max: 20},
	55: {Name: "ICC data", Zh: "IC卡数据域", Class: B, Form: LLL, Max: 255},
	58: {Name: "Electronic purse data", Zh: "PBOC电子钱包标准的交易信息", Class: B, Form: LLL, Max: 100},
	59: {Name: "Private data (TLV)", Zh: "自定义域", Class: B, Form: LLL, Max: 999},
	60: {Name: "Private data (type, batch, network)", Zh: "自定义域", Class: N, Form: LLL, Max: 17},
	61: {Name: "Original transaction", Zh: "原始信息域", Class: N, Form: LLL, Max: 29},
	62: {Name: "Private data (keys, parameters)", Zh: "自定义域", Class: B, Form: LLL, Max: 512},
	63: {Name: "Private data (operator, texts)", Zh: "自定义域", Class: ANS, Form: LLL, Max: 163},
	64: {Name: "Message authentication code", Zh: "报文鉴别码", Class: B, Max: 8},
})

func mustSpec(fields map[int]Field) *Spec {
	s, err := NewSpec(fields)
	if err != nil {
		panic(err) // a row of the table above is wrong: found by the first test that loads the package
	}
	return s
}
