package world

import (
	"slices"
	"strings"

	"posd/sim/alipay"
	"posd/sim/card"
)

// CardInfo is a test card as people see it.
type CardInfo struct {
	ID     string    `json:"id"`
	Name   Words     `json:"name"`
	About  Words     `json:"about"` // how a purchase ends
	PIN    string    `json:"pin"`   // what its holder types
	Scheme string    `json:"scheme"`
	Last4  string    `json:"last4"`
	Color  [2]string `json:"color"`

	Group    string `json:"group"`    // what the card is there to show; one of card.Groups
	Everyday bool   `json:"everyday"` // among those to see first
}

// PhoneInfo is a phone as people see it.
type PhoneInfo struct {
	ID    string    `json:"id"`
	Name  Words     `json:"name"`
	About Words     `json:"about"` // the owner's habit
	Money Words     `json:"money"` // what there is at the start
	Color [2]string `json:"color"`
}

// Moment is a good moment for a power cut.
type Moment struct {
	Pattern string `json:"pattern"`
	Name    Words  `json:"name"`
}

// Catalog is all that there is to play with.
type Catalog struct {
	Lang    string      `json:"lang"` // in which the terminal starts
	LCD     Size        `json:"lcd"`
	Cards   []CardInfo  `json:"cards"`
	Phones  []PhoneInfo `json:"phones"`
	Keys    []string    `json:"keys"`
	Faults  []Fault     `json:"faults"`
	Moments []Moment    `json:"moments"`
	Sources []string    `json:"sources"`
}

// Size is that of the display in pixels.
type Size struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

// Catalog lists cards, phones, keys and faults.
func (w *World) Catalog() Catalog {
	c := Catalog{
		Lang: w.opt.Lang, LCD: Size{w.opt.Panel.Width, w.opt.Panel.Height}, Cards: []CardInfo{}, Phones: []PhoneInfo{},
		Faults: w.hw.faults(), Moments: moments, Sources: Sources,
	}
	for _, name := range cardNames() {
		if i, err := findCard(name); err == nil {
			c.Cards = append(c.Cards, i)
		}
	}
	if w.vpcd != nil {
		c.Cards = append(c.Cards, foreignInfo())
	}
	for _, p := range w.hw.gateway.Phones() {
		c.Phones = append(c.Phones, phoneInfo(p))
	}
	for _, k := range Keys {
		c.Keys = append(c.Keys, k.Name)
	}
	return c
}

// moments are offered on the panel; any other can be named to "cut when".
var moments = []Moment{
	{"acquirer=0200 dir=>", Words{"主机收到消费请求时", "host has the sale, no reply yet"}},
	{"acquirer=0210 dir=<", Words{"主机批准后, 应答途中", "host has decided, reply on its way"}},
	{"printer=* dir=>", Words{"批准后, 打印之前", "approved, before the receipt"}},
	{"printer=* dir=> nth=12", Words{"小票打印到一半", "halfway through the receipt"}},
	{"alipay=alipay.trade.pay dir=>", Words{"支付宝收到付款请求时", "Alipay has the payment, no reply yet"}},
	{"reader=GENERATE AC", Words{"卡片生成密文时", "card makes its cryptogram"}},
}

// preferred is the order in which cards are shown; others follow by name.
var preferred = []string{"unionpay-debit", "unionpay-credit", "insufficient", "wrong-pin", "expired", "refuses-second-ac", "visa-debit", "mastercard-credit"}

func cardNames() []string {
	all := card.Profiles()
	var out []string
	for _, n := range preferred {
		if slices.Contains(all, n) {
			out = append(out, n)
		}
	}
	for _, n := range all {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

var cardColors = map[string][2]string{
	"unionpay-debit": {"#0d6f78", "#0a4f63"}, "unionpay-credit": {"#8c2f3c", "#5d1f33"}, "visa-debit": {"#2a4f9e", "#1c3474"},
	"mastercard-credit": {"#c2703a", "#8e4527"}, "insufficient": {"#5b6f82", "#44566a"}, "wrong-pin": {"#7a5c94", "#563f72"},
	"expired": {"#8b8478", "#696257"}, "refuses-second-ac": {"#9a4d6d", "#6d3350"}, "offline-approve": {"#4d8457", "#33633f"},
	"two-applications": {"#37748f", "#6a3f63"}, "sda-only": {"#76804a", "#555d33"}, "blocked-application": {"#54575c", "#36393d"},
}

// groupColors are for cards that have none of their own.
var groupColors = map[string][2]string{
	"everyday": {"#0d6f78", "#0a4f63"}, "decline": {"#8b8478", "#696257"}, "pin": {"#6a5c94", "#4a3f72"}, "offline": {"#4d8457", "#33633f"},
	"selection": {"#37748f", "#27566c"}, "authentication": {"#76804a", "#555d33"}, "restrictions": {"#8f6a4a", "#694c33"},
	"issuer": {"#9a4d6d", "#6d3350"}, "faults": {"#54575c", "#36393d"},
}

// findCard describes a card by name.
func findCard(name string) (CardInfo, error) {
	if !slices.Contains(card.Profiles(), name) {
		return CardInfo{}, unknown("card", name, cardNames())
	}
	c, err := card.Load(name)
	if err != nil {
		return CardInfo{}, err
	}
	p := c.Profile()
	i := CardInfo{ID: name, Name: Words{p.TitleZH, p.Title}, PIN: p.PIN, Color: groupColors[p.Group], Group: p.Group, Everyday: p.Everyday}
	if v, ok := cardColors[name]; ok {
		i.Color = v
	}
	if pan := c.PAN(); len(pan) >= 4 {
		i.Last4 = pan[len(pan)-4:]
	}
	var schemes []string
	for _, a := range p.Applications {
		s := schemeOf(a.AID)
		if !slices.Contains(schemes, s) {
			schemes = append(schemes, s)
		}
	}
	i.Scheme = strings.Join(schemes, "+")
	i.About = aboutCard(p)
	return i, nil
}

func schemeOf(aid string) string {
	for rid, name := range map[string]string{"A000000333": "UnionPay", "A000000003": "VISA", "A000000004": "Mastercard"} {
		if strings.HasPrefix(strings.ToUpper(aid), rid) {
			return name
		}
	}
	return ""
}

// aboutCard says what will happen.
func aboutCard(p card.Profile) Words {
	switch x := p.Expect; {
	case p.Host.PIN != "" && p.Host.PIN != p.PIN:
		return Words{"银行不认此密码", "bank has another PIN"}
	case x.Start == "blocked":
		return Words{"应用被锁定", "application blocked"}
	case x.Start == "approved":
		return Words{"想脱机批准", "wants offline approval"}
	case x.Start == "declined":
		return Words{"终端直接拒绝", "declined offline"}
	case x.Code == "00" && x.Final == "declined":
		return Words{"银行批准后卡片拒绝", "refuses after approval"}
	case x.Code != "" && x.Code != "00":
		return Words{"银行拒绝 " + x.Code, "bank declines, " + x.Code}
	}
	return Words{"余额 " + yuan(p.Host.Balance), "balance " + yuan(p.Host.Balance)}
}

// phoneWords are the owners' names and habits.
var phoneWords = map[string][2]Words{
	"huabei-good": {{"小花", "Hua"}, {"花呗额度充足", "plenty of Huabei"}},
	"huabei-poor": {{"小贫", "Pin"}, {"花呗额度不足", "little Huabei"}},
	"no-huabei":   {{"老钱", "Qian"}, {"未开通花呗", "no Huabei"}},
	"waiting":     {{"小慢", "Man"}, {"要输密码", "types a password"}},
	"never":       {{"小忘", "Wang"}, {"一直不确认", "never confirms"}},
	"late":        {{"小迟", "Chi"}, {"撤销时才确认", "confirms too late"}},
	"refusing":    {{"小拒", "Ju"}, {"拒绝付款", "refuses"}},
}

var phoneColors = [][2]string{
	{"#3f8fe0", "#1f5fae"},
	{"#6a9bc9", "#49769f"},
	{"#58a58c", "#357a64"},
	{"#d39a48", "#a96f25"},
	{"#9c8bc2", "#6f5c9c"},
	{"#c27a8f", "#97506a"},
	{"#8a97a3", "#5f6c78"},
}

func phoneInfo(p alipay.Phone) PhoneInfo {
	i := PhoneInfo{ID: p.Name, Name: Words{p.Name, p.Name}, About: Words{string(p.Habit), string(p.Habit)}}
	if w, ok := phoneWords[p.Name]; ok {
		i.Name, i.About = w[0], w[1]
	}
	zh, en := "余额 "+yuan(p.Balance), "balance "+yuan(p.Balance)
	if p.HasHuabei {
		zh, en = zh+", 花呗 "+yuan(p.HuabeiCredit), en+", Huabei "+yuan(p.HuabeiCredit)
	}
	i.Money = Words{zh, en}
	n := slices.IndexFunc(alipay.BuiltIn(), func(b alipay.Phone) bool { return b.Name == p.Name })
	i.Color = phoneColors[max(n, 0)%len(phoneColors)]
	return i
}
