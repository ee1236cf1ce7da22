package card_test

import (
	"errors"
	"strings"
	"testing"

	"posd/sim/card"
)

// TestContactlessProfile: each field that cannot be is named.
func TestContactlessProfile(t *testing.T) {
	good := string(mustProfile(t, "tap-unionpay"))
	if _, err := card.Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"only = true", "only = 1", "line"},
		{"only = true", "type = \"C\"", "contactless.type"},
		{"only = true", "cdcvm = \"maybe\"", "contactless.cdcvm"},
		{"only = true", "ppse_status = \"69\"", "contactless.ppse_status"},
		{"only = true", "gone = -1", "contactless.gone"},
		{"only = true", "stays = 100", "contactless.gone"},
		{"only = true", "slow = 60001", "contactless.slow"},
		{"[contactless]\nonly = true", "", "contactless"},
		{"[expect_tap.shop]", "[expect_tap.nowhere]", "expect_tap.nowhere"},
		{"outcome = \"online\"", "outcome = \"maybe\"", "outcome"},
		{"cvm = \"none\"", "cvm = \"pin\"", "cvm"},
		{"message = 0x1B", "message = 256", "message"},
		{"final = \"approved\"", "final = \"yes\"", "final"},
		{"final = \"approved\"", "update = \"yes\"", "update"},
		{"final = \"approved\"", "taps = 10", "taps"},
		{"offline_count = 5", "kernel = 4", "application[0].tap.kernel"},
		{"offline_count = 5", "kernel_id = \"0\"", "application[0].tap.kernel_id"},
		{"offline_count = 5", "kernel_id = \"0700000000000000000000000000000000\"", "application[0].tap.kernel_id"},
		{"offline_count = 5", "extended = \"112233445566778899\"", "application[0].tap.extended"},
		{"offline_count = 5", "entry_aid = \"zz\"", "application[0].tap.entry_aid"},
		{"offline_count = 5", "ctq = \"000000\"", "application[0].tap.ctq"},
		{"offline_count = 5", "version = \"0101\"", "application[0].tap.version"},
		{"offline_count = 5", "methods = [\"offline-pin\"]", "application[0].tap.methods"},
		{"offline_count = 5", "fault = \"none\"", "application[0].tap.fault"},
		{"offline_count = 5", "priority = 16", "application[0].tap.priority"},
		{"offline_count = 5", "label = \"seventeen letters\"", "application[0].tap.label"},
		{"offline_count = 5", "cvm_limit = -1", "application[0].tap.cvm_limit"},
		{"offline_count = 5", "purse = -1", "application[0].tap.purse"},
		{"offline_count = 5", "oda = \"xda\"", "application[0].tap.oda"},
		{"offline_count = 5", "stripe = \"yes\"", "application[0].tap.stripe"},
		{"offline_count = 5", "relay = [1, 2]", "application[0].tap.relay"},
		{"offline_count = 5", "relay = [1, 2, 65536]", "application[0].tap.relay"},
		{"offline_count = 5", "drdol = \"9F37\"", "application[0].tap.drdol"},
		{"offline_count = 5", "balance = -5", "application[0].tap.balance"},
		{"offline_count = 5", "fci_omit = [\"x\"]", "application[0].tap.fci_omit"},
		{"offline_count = 5", "fci_objects = \"5\"", "application[0].tap.fci_objects"},
		{"offline_count = 5", "data = { \"9F\" = \"00\" }", "application[0].tap.data"},
		{"offline_count = 5", "data = { \"9F51\" = \"0\" }", "application[0].tap.data"},
		{"offline_count = 5", "pdol = \"9F\"", "application[0].tap.pdol"},
		{"offline_count = 5", "aip = \"20\"", "application[0].tap.aip"},
		{"offline_count = 5", "status = { tap = \"6985\" }", "application[0].tap.status"},
		{"offline_count = 5", "keys = \"1984\"", "application[0].tap.keys"},
		{"offline_count = 5", "keys = \"999\"", "application[0].tap.keys"},
		{"offline_count = 5", "colour = 5", "unknown key"},
	} {
		_, err := card.Parse([]byte(strings.Replace(good, c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.new, err, c.want)
		}
		if p := (*card.ProfileError)(nil); err != nil && !errors.As(err, &p) && !strings.Contains(err.Error(), "line ") {
			t.Errorf("%s: %T", c.new, err)
		}
	}
	if _, ok := card.ReaderNamed("nowhere"); ok {
		t.Error("there is a reader named nowhere")
	}
	for _, name := range card.Profiles() {
		if strings.HasPrefix(name, "phone-") {
			t.Errorf("%s cannot be inserted", name)
		}
	}
	if n := len(card.Taps()); n < 60 {
		t.Errorf("%d contactless profiles", n)
	}
}
