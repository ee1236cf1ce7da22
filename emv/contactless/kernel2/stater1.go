package kernel2

import (
	"encoding/binary"
	"io"
	"time"

	"posd/emv/tlv"
)

// startRelay is S3.61 to S3.64: the terminal's entropy is a new unpredictable number.
func (t *tap) startRelay() (state, error) {
	t.db[tagRRPCounter] = []byte{0}
	return stateR1, t.newEntropy()
}

// newEntropy draws a new 9F37 and makes it the terminal's entropy (S3.61, SR1.23).
func (t *tap) newEntropy() error {
	un := make([]byte, 4)
	if _, err := io.ReadFull(t.a.Transaction.Rand, un); err != nil {
		return err
	}
	t.db[tagUN], t.db[tagTerminalEntropy] = un, un
	return nil
}

// relay is SR1: EXCHANGE RELAY RESISTANCE DATA with the time it takes. Times are in units of 100 microseconds.
func (t *tap) relay() (state, error) {
	c := t.command(0x80, 0xEA, 0x00, 0x00, t.db[tagTerminalEntropy], true)
	start := t.a.Now()
	data, sw, l1, err := t.send(c)
	taken := t.a.Now().Sub(start) // SR1.10
	switch {
	case err != nil:
		return done, err
	case l1 != 0: // SR1.4, SR1.5
		return t.endAgain(l1)
	case t.stopped(): // SR1.6, SR1.7
		return t.endTerminal(l3Stop)
	case sw != 0x9000: // SR1.11 to SR1.13
		return t.endOther(l2Status, sw)
	}
	o, err := tlv.One(data)
	if err != nil || o.Tag != tagFormat1 || len(o.Value) != 10 {
		return t.endOther(l2Parsing, 0) // SR1.14 to SR1.17
	}
	v := o.Value
	t.db[tagDeviceEntropy], t.db[tagMinTime], t.db[tagMaxTime], t.db[tagEstimated] = v[:4], v[4:6], v[6:8], v[8:10]

	db := t.db
	measured := measuredTime(taken, db.number(tagExpectedC), db.number(tagEstimated), db.number(tagExpectedR)) // SR1.18
	t.rrpTime = measured
	db[tagMeasured] = binary.BigEndian.AppendUint16(nil, uint16(min(measured, 0xFFFF)))
	if tooFast(measured, db.number(tagMinTime), db.number(tagMinGrace)) {
		return t.endOther(l2CardData, 0) // SR1.19 to SR1.21
	}
	slow := measured > db.number(tagMaxTime)+db.number(tagMaxGrace)
	if n := db.byteOf(tagRRPCounter); slow && n < 2 { // SR1.22 to SR1.27
		db[tagRRPCounter] = []byte{n + 1}
		return stateR1, t.newEntropy()
	}
	if slow {
		tvrRRPTimeLimits.set(t.tvr) // SR1.28, SR1.29
	}
	if relaySuspicious(measured, db.number(tagMinTime), db.number(tagEstimated), db.number(tagExpectedR), db.number(tagMismatch), db.number(tagAccuracy)) {
		tvrRRPThreshold.set(t.tvr) // SR1.30, SR1.31
	}
	t.tvr[4] = t.tvr[4]&^rrpMask | rrpPerformed // SR1.32
	return state3R1, nil
}

// measuredTime is SR1.18: the time that the card had for itself, without the transmission of command and answer, never below 0.
func measuredTime(taken time.Duration, expectedC, estimated, expectedR int64) int64 {
	return max(0, int64(taken/(100*time.Microsecond))-expectedC-min(estimated, expectedR))
}

// tooFast is SR1.19: an answer sooner than the card says it can.
func tooFast(measured, minTime, minGrace int64) bool { return measured < max(0, minTime-minGrace) }

// relaySuspicious is SR1.30: card and terminal do not agree about transmission times, or the card took much longer than its minimum.
func relaySuspicious(measured, minTime, estimated, expectedR, mismatch, accuracy int64) bool {
	return estimated == 0 || expectedR == 0 || estimated*100 < mismatch*expectedR || expectedR*100 < mismatch*estimated ||
		max(0, measured-minTime) > accuracy
}
