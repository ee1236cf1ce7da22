package kernel2

import (
	"strings"
	"testing"
)

// Walk: PDOL, GPO, records, GENERATE AC with CDA, ONLINE REQUEST.
func TestOnlineWithCDA(t *testing.T) {
	b := newBed(t)
	b.want("ONLINE nocvm ui=1B/0/0 dr 0000000000FF")
	b.eq("commands", strings.Join(b.card.log, ","), "GPO,RR 2.1,RR 3.1,RR 3.2,RR 3.3,GAC")
	b.eq("9F26", b.field(tagAC), "A1A2A3A4A5A6A7A8")
	b.eq("TVR", b.tvr(), "0000008001")
	b.eq("P1", string("0123456789ABCDEF"[b.card.cmds["GAC"][2]>>4]), "9")
}
