package sim

import "time"

// Event is one line of the trace: something that passed between posd and a device or host, decoded, with every secret masked
// before it gets here.
type Event struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Source  string    `json:"source"`  // "reader", "pinpad", "scanner", "printer", "keypad", "display", "acquirer", "alipay", "posd", "world"
	Dir     string    `json:"dir"`     // ">" from posd, "<" to posd, "" neither
	Summary string    `json:"summary"` // one line: "GENERATE AC (ARQC)", "0200 sale STAN 000123"
	Detail  []Field   `json:"detail,omitempty"`
}

// Field is a decoded part of an Event.
type Field struct {
	Name  string `json:"name"`  // "9F02 Amount, Authorised", "F39 应答码"
	Value string `json:"value"` // decoded or hex; masked where it would be secret
}

// Tracer takes events. It is called from many goroutines and must not block. A nil Tracer is allowed everywhere: use Emit.
type Tracer func(Event)

// Emit sends an event to a tracer that may be nil.
func (t Tracer) Emit(source, dir, summary string, detail ...Field) {
	if t != nil {
		t(Event{Time: time.Now(), Source: source, Dir: dir, Summary: summary, Detail: detail})
	}
}
