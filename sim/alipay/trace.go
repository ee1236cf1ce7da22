package alipay

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"posd/sim"
)

// note keeps a line for the trace until the lock is open. The caller holds the lock.
func (g *Gateway) note(format string, args ...any) {
	if len(g.notes) < 64 {
		g.notes = append(g.notes, fmt.Sprintf(format, args...))
	}
}

func (g *Gateway) flush() {
	g.mu.Lock()
	notes := g.notes
	g.notes = nil
	g.mu.Unlock()
	for _, n := range notes {
		g.trace.Emit("alipay", "", n)
	}
}

// traceRequest shows a request decoded, with the payment code masked. The signature is told by whether it was right.
func (g *Gateway) traceRequest(q request, no *refusal) {
	summary := q.method
	if q.biz.TotalAmount != "" {
		summary += " " + q.biz.TotalAmount
	}
	if no != nil {
		summary += " refused at the door: " + no.sub
	}
	names := make([]string, 0, len(q.raw))
	for k := range q.raw {
		names = append(names, k)
	}
	sort.Strings(names)
	detail := []sim.Field{}
	for _, k := range names {
		v := string(q.raw[k])
		var s string
		if json.Unmarshal(q.raw[k], &s) == nil {
			v = s
		}
		if k == "auth_code" {
			v = mask(v)
		}
		detail = append(detail, sim.Field{Name: k, Value: v})
	}
	g.trace.Emit("alipay", ">", summary, detail...)
}

func (g *Gateway) traceAnswer(method string, f []field) {
	detail := make([]sim.Field, 0, len(f))
	summary := method + " answer"
	for _, x := range f {
		v, ok := x.value.(string)
		if !ok {
			b, _ := json.Marshal(x.value)
			v = string(b)
		}
		switch x.name {
		case "code", "sub_code", "trade_status", "action":
			summary += " " + v
		}
		detail = append(detail, sim.Field{Name: x.name, Value: v})
	}
	g.trace.Emit("alipay", "<", summary, detail...)
}

// mask keeps the first two characters: they tell the wallet.
func mask(s string) string {
	return s[:min(2, len(s))] + strings.Repeat("*", max(0, len(s)-2))
}
