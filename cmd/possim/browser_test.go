package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"posd/sim/panel"
	"posd/sim/world"
)

const (
	browserTime = 90 * time.Second // for the whole test
	pageTime    = 20 * time.Second // for one thing that the page waits for
)

// TestBrowser is somebody at the page of possim run, in a real Chromium: a card sale with mouse and keyboard in Chinese, a Huabei sale with
// the mouse in English, a fault, a power cut. What it sees it sees through the page.
func TestBrowser(t *testing.T) {
	builtFrom(t)
	w, err := world.New(world.Options{Posd: posdBinary, Fast: true, Lang: "zh", Timeouts: map[string]int{"result": 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := panel.Listen(w, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := w.PowerOn(); err != nil {
		t.Fatal(err)
	}
	p := openPage(t, w, s.URL())
	p.screen("idle")

	// The steps build on one another: after one that failed the next say nothing.
	for _, step := range []struct {
		name string
		do   func(*testing.T, *page)
	}{
		{"layout", checkLayout},
		{"words", checkWords},
		{"card sale", cardSale},
		{"other language", otherLanguage},
		{"huabei sale", huabeiSale},
		{"controls", checkControls},
		{"fault", checkFault},
		{"power cut", powerCut},
		{"errors", checkErrors},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.do(t, p.in(t)) }) {
			return
		}
	}
}

// page is the page of possim in a browser.
type page struct {
	t      *testing.T
	ctx    context.Context
	w      *world.World
	errors func() []string // what the browser has complained of
}

func openPage(t *testing.T, w *world.World, url string) *page {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("this test drives a real browser: install the Debian package chromium (apt-get install chromium): %v", err)
	}
	ctx, stop := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(stop)
	// The allocator makes a fresh user data directory and removes it.
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(browser), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.WindowSize(1280, 800),
		chromedp.Flag("disable-dev-shm-usage", true), // it is small in containers
	}
	for _, f := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync"} {
		options = append(options, chromedp.Flag(f, true))
	}
	ctx, stop = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop) // ends the browser and waits for it

	var mu sync.Mutex
	var complaints []string
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 800)); err != nil {
		t.Fatalf("start %s: %v", browser, err)
	}
	console := chromedp.Console(ctx)
	go func() {
		for m, err := range console {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleError || m.IsException() {
				mu.Lock()
				complaints = append(complaints, m.String()+" "+m.URL)
				mu.Unlock()
			}
		}
	}()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	return &page{t: t, ctx: ctx, w: w, errors: func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(complaints)
	}}
}

func (p *page) in(t *testing.T) *page {
	q := *p
	q.t = t
	return &q
}

func (p *page) fatalf(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("%s\nthe screen is %q; the trace ends with\n%s", fmt.Sprintf(format, args...), p.w.Screen(), lastWords(p.w))
}

// eval is the value of a JavaScript expression, awaited.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, pageTime)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.fatalf("%s: %v", expression, err)
	}
	return v
}

// wait waits until a JavaScript expression holds. It looks at each frame that the browser draws.
func (p *page) wait(expression string) {
	p.t.Helper()
	if !eval[bool](p, fmt.Sprintf(`(async () => {
		const until = performance.now() + %d;
		while (!(%s)) {
			if (performance.now() > until) return false;
			await new Promise(requestAnimationFrame);
		}
		return true;
	})()`, (pageTime-2*time.Second).Milliseconds(), expression)) {
		p.fatalf("not in time: %s", expression)
	}
}

// screen waits until the display shows a screen of that name.
func (p *page) screen(name string) {
	p.t.Helper()
	p.wait(fmt.Sprintf(`document.querySelector('#lcd').dataset.screen === %q`, name))
}

// click clicks elements by their test ids with the mouse, where they can be seen: what is hidden or covered cannot be clicked.
func (p *page) click(ids ...string) {
	p.t.Helper()
	for _, id := range ids {
		at := eval[[]float64](p, fmt.Sprintf(`(async () => {
			const until = performance.now() + %d;
			while (performance.now() < until) {
				const e = document.querySelector('[data-testid=%q]');
				e?.scrollIntoView({block: 'nearest'});
				const b = e?.getBoundingClientRect();
				for (const fy of [.5, .9, .1]) for (const fx of [.5, .9, .1]) {
					if (!b || !b.width) continue;
					const x = b.left + b.width * fx, y = b.top + b.height * fy;
					if (e.contains(document.elementFromPoint(x, y))) return [x, y];
				}
				await new Promise(requestAnimationFrame);
			}
			return [];
		})()`, (pageTime-2*time.Second).Milliseconds(), id))
		if len(at) != 2 {
			p.fatalf("%s cannot be clicked", id)
		}
		if err := chromedp.Do(p.ctx, chromedp.MouseClickXY(at[0], at[1])); err != nil {
			p.fatalf("click %s: %v", id, err)
		}
	}
}

// keys clicks on keys of the terminal.
func (p *page) keys(names ...string) {
	p.t.Helper()
	for _, n := range names {
		p.click("key-" + n)
	}
}

// typed presses keys of the computer's keyboard.
func (p *page) typed(keys string) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.KeyEvent(keys)); err != nil {
		p.fatalf("type: %v", err)
	}
}

// text is what the page gets from an address below its own.
func (p *page) text(address string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`fetch(%q).then(r => { if (!r.ok) throw new Error(r.status); return r.text() })`, address))
}

// linked is what is behind a link of the page.
func (p *page) linked(id string, into any) {
	p.t.Helper()
	body := p.text(eval[string](p, fmt.Sprintf(`document.querySelector('[data-testid=%s]').href`, id)))
	if err := json.Unmarshal([]byte(body), into); err != nil {
		p.fatalf("%s: %v", id, err)
	}
}

// tear takes the paper off with the button of the page and returns what was on it.
func (p *page) tear() string {
	p.t.Helper()
	p.wait(`!document.querySelector('#paper').hidden && document.querySelector('#paperimg').naturalHeight > 500`)
	paper := p.text("paper.txt")
	had := len(p.w.Receipts())
	p.click("paper-tear")
	p.wait(`document.querySelector('#paper').hidden`)
	for i, r := range p.w.Receipts()[had:] {
		p.wait(fmt.Sprintf(`document.querySelector('[data-testid=receipt-%d] img')?.naturalHeight > 500`, had+1+i))
		if got := p.text(fmt.Sprintf("receipts/%d.txt", had+1+i)); got != r || !strings.Contains(paper, got) {
			p.fatalf("torn off:\n%s\nbut the paper was:\n%s", got, paper)
		}
	}
	return paper
}

func checkLayout(t *testing.T, p *page) {
	type size struct{ W, H, ScrollW, ScrollH int }
	got := eval[size](p, `(e => ({W: innerWidth, H: innerHeight, ScrollW: e.scrollWidth, ScrollH: e.scrollHeight}))(document.documentElement)`)
	if want := (size{1280, 800, 1280, 800}); got != want {
		t.Errorf("window and document: %+v, want %+v: the page must not scroll", got, want)
	}
	for _, lang := range []string{"en", "zh"} {
		p.click("lang-" + lang)
		p.wait(fmt.Sprintf(`document.documentElement.lang === %q`, lang))
		// A Range knows how wide the words are; an element with an ellipsis does not tell.
		cut := eval[[]string](p, `[...document.querySelectorAll('.cardhead b, .carddesc, .phonewords *, .mini, .key small, .chip, .switch, .powercut span, .pill')]
			.filter(e => { const r = document.createRange(); r.selectNodeContents(e); const b = e.getBoundingClientRect();
				return b.width > 0 && r.getBoundingClientRect().width > b.width + .1 }).map(e => e.textContent)`)
		if len(cut) > 0 {
			t.Errorf("%s: cut off: %q", lang, cut)
		}
		outside := eval[[]string](p, `[...document.querySelectorAll('button, a, input, select, canvas')]
			.filter(e => { const b = e.getBoundingClientRect(); return b.width > 0 && (b.left < 0 || b.top < 0 || b.right > innerWidth || b.bottom > innerHeight) })
			.map(e => e.dataset.testid || e.tagName)`)
		if len(outside) > 0 {
			t.Errorf("%s: outside of the window: %q", lang, outside)
		}
	}
}

// checkWords: each thing on the page has words in the page's language, each fault more than its name.
func checkWords(t *testing.T, p *page) {
	type fault struct{ ID, Text string }
	faults := map[string][2]string{}
	for i, lang := range []string{"en", "zh"} {
		p.click("lang-" + lang)
		p.wait(fmt.Sprintf(`document.documentElement.lang === %q`, lang))
		tabs := eval[[]string](p, `[...document.querySelectorAll('#faulttabs button')].map(e => e.dataset.testid)`)
		for _, tab := range tabs {
			p.click(tab)
			p.wait(fmt.Sprintf(`document.querySelector('[data-testid=%s]').ariaSelected === 'true'`, tab))
			for _, f := range eval[[]fault](p, `[...document.querySelectorAll('#faults .switch')].map(e => ({ID: e.dataset.fault, Text: e.textContent}))`) {
				v := faults[f.ID]
				v[i] = f.Text
				faults[f.ID] = v
			}
		}
		if nameless := eval[int](p, `[...document.querySelectorAll('button')].filter(e => !e.hidden && !e.ariaLabel && !e.textContent.trim() && e.id !== 'paper' && e.id !== 'incard').length`); nameless > 0 {
			t.Errorf("%s: %d buttons without a name", lang, nameless)
		}
	}
	if len(faults) < 60 {
		t.Errorf("only %d faults", len(faults))
	}
	han := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
	}
	for id, v := range faults {
		if v[0] == "" || han(v[0]) || !han(v[1]) {
			t.Errorf("fault %s is named %q in English and %q in Chinese", id, v[0], v[1])
		}
	}
	p.click("faults-tab-acquirer")
}

// sums are the amounts on a slip in fen, in order.
func sums(paper string) []int64 {
	var out []int64
	for _, m := range regexp.MustCompile(`RMB ([\d,]+)\.(\d\d)\b`).FindAllStringSubmatch(paper, -1) {
		n, _ := strconv.ParseInt(strings.ReplaceAll(m[1], ",", "")+m[2], 10, 64) // digits, by the pattern
		out = append(out, n)
	}
	return out
}

func wantWords(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q:\n%s", what, w, text)
		}
	}
}

func cardSale(t *testing.T, p *page) {
	p.keys("1", "2")
	p.screen("amount")
	p.typed("850" + kb.Enter)
	p.screen("method")
	p.keys("1")
	p.screen("insert")
	p.click("card-unionpay-debit")
	p.wait(`document.querySelector('#terminal').dataset.pin === 'true'`)
	p.keys("1", "2", "3")
	p.typed("456" + kb.Enter)
	p.screen("tear")
	p.typed(kb.Enter)
	p.screen("take-card")
	p.click("inserted-card")
	p.screen("idle")

	paper := p.tear()
	wantWords(t, "the slip", paper, "商户存根 MERCHANT COPY", "持卡人存根 CUSTOMER COPY", "交易成功 APPROVED", "已验证密码", "621700*********2019")
	if got, want := sums(paper), []int64{12850, 12850}; !slices.Equal(got, want) {
		t.Errorf("amounts on paper %v, want %v", got, want)
	}
	var book world.AcquirerBook
	p.linked("ledger-acquirer", &book)
	if len(book.Held) != 1 || book.Held[0].Minor != 12850 {
		t.Errorf("the acquirer holds %+v", book.Held)
	}
	if r := p.journal(); len(r) != 1 || r[0].State != "approved" || r[0].Amount.Minor != 12850 || r[0].STAN != book.Held[0].STAN {
		t.Errorf("journal: %+v; the acquirer holds %+v", r, book.Held)
	}

	wantWords(t, "GENERATE AC in the trace", p.traced("reader", "→", "GENERATE AC (ARQC asked)"), "9F02 Amount, Authorised (Numeric)", "000000012850")
	wantWords(t, "the card's answer in the trace", p.traced("reader", "←", "ARQC"), "9F26 Application Cryptogram")
	wantWords(t, "0200 in the trace", p.traced("acquirer", "→", "0200 sale"), "F4 ", "¥128.50", "621700*********2019", "F55 95 Terminal Verification Results", "not shown")
	wantWords(t, "0210 in the trace", p.traced("acquirer", "←", "0210 sale answer"), "F39 ", "F38 ")
	// 3, 4 and 6 are keys of the PIN and of nothing else so far.
	if keys := regexp.MustCompile(`key [346]\b`).FindAllString(p.text("trace"), -1); len(keys) > 0 {
		t.Errorf("the trace tells keys of the PIN: %q", keys)
	}
	p.noSecrets()
}

func (p *page) journal() (out []bookRecord) {
	p.t.Helper()
	p.linked("journal", &out)
	return out
}

// traced opens a line of the trace with a click and returns what it says then.
func (p *page) traced(source, dir, summary string) string {
	p.t.Helper()
	p.wait(fmt.Sprintf(`[...document.querySelectorAll('#tracelist li')].some(li => {
		if (li.dataset.source !== %q || li.querySelector('.dir')?.textContent !== %q || !li.querySelector('.sum').textContent.includes(%q)) return false;
		document.querySelector('[data-testid=looked-at]')?.setAttribute('data-testid', 'trace-row');
		const head = li.querySelector('button.row');
		head?.setAttribute('data-testid', 'looked-at');
		head?.scrollIntoView({block: 'center'});
		return !!head;
	})`, source, dir, summary))
	p.click("looked-at")
	p.wait(`document.querySelector('[data-testid=looked-at]').getAttribute('aria-expanded') === 'true'`)
	return eval[string](p, `document.querySelector('[data-testid=looked-at]').parentElement.innerText`)
}

// noSecrets looks for keys, card numbers and payment codes in all that the page got and shows.
func (p *page) noSecrets() {
	p.t.Helper()
	shown := eval[string](p, `document.body.innerText + [...document.querySelectorAll('#tracelist li')].map(li => li.text).join('\n')`)
	all := strings.ToLower(shown + p.text("trace") + p.text("journal") + p.text("ledger/acquirer") + p.text("ledger/alipay") + p.text("paper.txt"))
	secrets := p.w.Secrets()
	if len(secrets) < 10 || !strings.Contains(all, "621700") {
		p.fatalf("%d secrets and %d characters to search: that cannot be all", len(secrets), len(all))
	}
	for name, s := range secrets {
		if strings.Contains(all, strings.ToLower(s)) {
			p.t.Errorf("%s is on the page", name)
		}
	}
}

// otherLanguage: page and terminal have a language each.
func otherLanguage(t *testing.T, p *page) {
	p.click("lang-en")
	p.wait(`document.querySelector('[data-testid=power-cut]').textContent.includes('POWER CUT')`)
	const picture = `document.querySelector('#lcd').toDataURL()`
	before := eval[string](p, picture)
	p.keys("f1")
	p.wait(fmt.Sprintf(`%s !== %q`, picture, before))
}

func huabeiSale(t *testing.T, p *page) {
	p.keys("1", "2", "0", "0", "0", "0")
	p.screen("amount")
	p.keys("enter")
	p.screen("method")
	p.keys("2")
	p.screen("huabei")
	p.keys("2")
	p.screen("plan")
	p.keys("2")
	p.screen("plan-confirm")
	p.keys("enter")
	p.wait(`document.querySelector('#terminal').dataset.scanning === 'true'`)
	p.click("phone-huabei-good-code")
	p.screen("tear")
	p.keys("enter")
	p.screen("idle")

	paper := p.tear()
	wantWords(t, "the slip", paper, "MERCHANT COPY", "CUSTOMER COPY", "APPROVED", "Huabei instalments", "6 months")
	if strings.ContainsFunc(paper, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		t.Errorf("Chinese on a slip of a terminal that was switched to English:\n%s", paper)
	}
	// Both copies: amount, first, each, fee, total; the merchant's also what is settled.
	if got, want := sums(paper), []int64{120000, 20900, 20900, 5400, 125400, 120000, 120000, 20900, 20900, 5400, 125400}; !slices.Equal(got, want) {
		t.Errorf("amounts on paper %v, want %v", got, want)
	}
	var trades []trade
	p.linked("ledger-alipay", &trades)
	if len(trades) != 1 || !trades[0].paid() || trades[0].Amount != 120000 || trades[0].Periods != 6 || trades[0].Fee != 5400 || trades[0].BuyerTotal != 125400 || trades[0].SellerNet != 120000 {
		t.Errorf("gateway: %+v", trades)
	}
	records := p.journal()
	i := slices.IndexFunc(records, func(r bookRecord) bool { return r.Wallet != nil })
	if i < 0 || records[i].Wallet.Plan == nil {
		t.Fatalf("journal: %+v", records)
	}
	if r, plan := records[i], records[i].Wallet.Plan; r.State != "approved" || r.Amount.Minor != 120000 || plan.Periods != 6 || plan.Fee != 5400 ||
		plan.First != 20900 || plan.Each != 20900 || plan.BuyerTotal != 125400 || plan.SellerNet != 120000 {
		t.Errorf("journal: %+v %+v", r, *plan)
	}
	wantWords(t, "the request in the trace", p.traced("alipay", "→", "alipay.trade.pay"), `"hb_fq_num"`, `1200.00`)
	wantWords(t, "the answer in the trace", p.traced("alipay", "←", "alipay.trade.pay"), "10000")
	p.noSecrets()
}

// checkControls: what can be pressed beside the terminal does something.
func checkControls(t *testing.T, p *page) {
	p.click("contactless")
	p.wait(`document.querySelector('#toast').checkVisibility() && document.querySelector('#toast').textContent.includes('contactless')`)

	p.click("receipt-2")
	p.wait(`document.querySelector('#viewer').open && document.querySelector('#viewimg').naturalHeight > 500`)
	p.click("viewer-close")
	p.wait(`!document.querySelector('#viewer').open`)

	const shown = `[...document.querySelectorAll('#tracelist li')].filter(li => li.checkVisibility())`
	p.click("trace-filter-alipay")
	p.wait(shown + `.every(li => li.dataset.source !== 'alipay')`)
	p.click("trace-filter-alipay")
	p.wait(shown + `.some(li => li.dataset.source === 'alipay')`)
	p.click("trace-search")
	p.typed("trade.pay")
	p.wait(shown + `.length > 0 && ` + shown + `.every(li => li.innerText.includes('trade.pay') || li.text.includes('trade.pay'))`)
	p.typed(strings.Repeat(kb.Backspace, len("trade.pay")))
	p.click("trace-pause")
	p.wait(`document.querySelector('[data-testid=trace-pause]').ariaPressed === 'true'`)
	p.click("trace-clear")
	p.keys("star") // does nothing on the idle screen, but is an event
	p.wait(`document.querySelector('[data-testid=trace-pause]').ariaPressed === 'true' && ` + shown + `.length === 0`)
	p.click("trace-pause")
	p.wait(shown + `.some(li => li.innerText.includes('key star'))`)
}

// checkFault: the last receipt is asked for again while there is no paper.
func checkFault(t *testing.T, p *page) {
	p.click("faults-tab-printer", "fault-printer.paper-out")
	p.wait(`document.querySelector('[data-testid="fault-printer.paper-out"]').ariaChecked === 'true'`)
	p.wait(`document.querySelector('[data-testid=faults-tab-printer] .count').textContent === '1'`)
	p.keys("f2")
	p.screen("printer")
	p.click("faults-clear")
	p.wait(`document.querySelector('[data-testid="fault-printer.paper-out"]').ariaChecked === 'false'`)
	p.keys("enter")
	p.screen("idle")
	wantWords(t, "the slip", p.tear(), "DUPLICATE")
}

func powerCut(t *testing.T, p *page) {
	p.keys("5")
	p.screen("amount")
	p.click("power-cut")
	p.wait(`document.querySelector('[data-testid=lamp]').dataset.state === 'off' && document.querySelector('#terminal').dataset.power === 'off'`)
	p.wait(`document.querySelector('#lcd').getContext('2d').getImageData(0, 0, 480, 320).data.every((v, i) => i % 4 === 3 || v === 0)`) // dark
	p.keys("1")
	p.wait(`document.querySelector('#toast').checkVisibility() && document.querySelector('#toast').textContent.includes('no power')`)
	p.click("power-on")
	p.screen("idle")
	p.wait(`document.querySelector('[data-testid=lamp]').dataset.state === 'on'`)
	if r := p.journal(); len(r) != 2 {
		t.Errorf("%d records in the journal, want the two sales", len(r))
	}
}

// checkErrors: the only requests that may fail are those that were to be refused.
func checkErrors(t *testing.T, p *page) {
	for _, e := range p.errors() {
		if !strings.Contains(e, "409 (Conflict)") || !strings.HasSuffix(e, "/do") {
			t.Error(e)
		}
	}
}
