package alipay

import (
	"fmt"
	"slices"
	"strings"
)

// Methods that a fault may be narrowed to or widened to, as written after a colon: "html-200:query".
var scopes = map[string][]string{
	"pay":       {"alipay.trade.pay"},
	"precreate": {"alipay.trade.precreate"},
	"query":     {"alipay.trade.query"},
	"cancel":    {"alipay.trade.cancel"},
	"all":       {"alipay.trade.pay", "alipay.trade.precreate", "alipay.trade.query", "alipay.trade.cancel"},
}

// faults are the switches with the methods that each has an effect on unless it says so itself.
var faults = []struct {
	name  string
	scope []string
}{
	{"down", nil},                             // connections are closed before TLS
	{"reply-lost", sale},                      // done, but the answer never leaves
	{"reply-late", sale},                      // done, and answered after Options.Late
	{"request-lost", sale},                    // not done and not answered
	{"bad-signature", sale},                   // done, the signature is off by one bit
	{"unsigned", sale},                        // done, no signature
	{"error-unsigned", sale},                  // done, answered by an unsigned error_response
	{"html-200", sale},                        // done, answered by a page
	{"wrong-amount", sale},                    // the answer names a fen more
	{"wrong-order", sale},                     // the answer names another order
	{"unknown-status", scopes["query"]},       // a trade_status that nobody knows
	{"system-error", sale},                    // done, but answered 20000
	{"slow-body", sale},                       // one byte at a time, Options.Drip apart
	{"redirect", sale},                        // done, and the good answer lies where a redirect leads
	{"huge-body", sale},                       // ten megabytes around a good answer
	{"duplicate-keys", sale},                  // code given twice, well signed
	{"query-down", scopes["query"]},           // queries are dropped
	{"cancel-down", scopes["cancel"]},         // cancels are dropped
	{"cancel-lost", scopes["cancel"]},         // cancelled, but the answer never leaves
	{"cancel-retry", scopes["cancel"]},        // retry_flag=Y once for each order
	{"cancel-retry-always", scopes["cancel"]}, // retry_flag=Y always
}

var sale = []string{"alipay.trade.pay", "alipay.trade.precreate"}

// Faults lists the fault switches. A switch that has no method in its name acts on pay and precreate; "name:query" and the like
// (pay, precreate, query, cancel, all) make it act elsewhere.
func (g *Gateway) Faults() []string {
	out := make([]string, len(faults))
	for i, f := range faults {
		out[i] = f.name
	}
	return out
}

// SetFault turns a fault on or off.
func (g *Gateway) SetFault(name string, on bool) error {
	base, where, narrowed := strings.Cut(name, ":")
	i := slices.IndexFunc(faults, func(x struct {
		name  string
		scope []string
	},
	) bool {
		return x.name == base
	})
	if i < 0 {
		return fmt.Errorf("sim/alipay: no fault %q", name)
	}
	scope := faults[i].scope
	if narrowed {
		var ok bool
		if scope, ok = scopes[where]; !ok || base == "down" {
			return fmt.Errorf("sim/alipay: fault %q cannot be set for %q", base, where)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if base == "down" {
		g.down = on
		return nil
	}
	for _, m := range scope {
		g.faulty[base+":"+m] = on
	}
	return nil
}

// has tells whether a fault acts on a method. The caller holds the lock.
func (g *Gateway) has(fault, method string) bool { return g.faulty[fault+":"+method] }
