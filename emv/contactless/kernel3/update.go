package kernel3

import (
	"context"

	"posd/emv"
	"posd/emv/contactless"
	"posd/emv/tlv"
)

// Results of an issuer script, high nibble of the first of its five bytes (Book 4, A5).
const (
	scriptNotPerformed = 0x00
	scriptFailed       = 0x10
	scriptSucceeded    = 0x20
)

// maxScripts is how many bytes of scripts are taken from one answer: EMV wants at least 128 (Book 4, 6.3.9).
const maxScripts = 1024

// update takes the issuer's answer to the card that was presented again (Book C-3, chapter 6). The outcome of the transaction stands already:
// whatever the card makes of this, it does not change. The results of the scripts are in the discretionary data, 9F5B.
func (t *tap) update(ctx context.Context) (contactless.Outcome, error) {
	t.takeFCI() // only for the languages: the card was read at the first tap
	out := contactless.Outcome{Status: contactless.EndApplication}
	auth, scripts := t.answer(t.a.Host)
	if auth == nil && len(scripts) == 0 {
		return out, nil
	}
	gone := false
	if auth != nil {
		c := append(t.buf[:0], 0x00, 0x82, 0x00, 0x00, byte(len(auth)))
		var err error
		// 6.2.1.1: the update goes on whatever the card answers.
		if _, _, gone, err = t.exchange(ctx, append(c, auth...)); err != nil {
			return contactless.Outcome{}, err
		}
	}
	var results []byte
	for _, s := range scripts {
		result, id, lost, err := t.script(ctx, s, gone)
		if err != nil {
			return contactless.Outcome{}, err
		}
		gone = gone || lost
		results = append(append(results, result), id[:]...)
	}
	if len(results) > 0 {
		out.Discretionary = tlv.Append(nil, tagScriptResults, results)
		t.term.Set(tagScriptResults, results)
	}
	if !gone {
		t.a.UI(t.ui(contactless.MsgCardReadOK, contactless.CardRead))
	}
	out.Objects = t.objects()
	return out, nil
}

// answer takes 91 and the scripts 71 and 72, in their order, out of the issuer's answer. An answer that was not received, that cannot be read
// as a whole, or that comes where the reader has no issuer update, gives nothing.
func (t *tap) answer(h *emv.HostAnswer) (auth []byte, scripts [][]byte) {
	if !h.Reached || t.ttq[2]&ttqIssuerUpdate == 0 {
		return nil, nil
	}
	total := 0
	d := tlv.NewDecoder(h.ICC)
	for o, more := d.Next(); more; o, more = d.Next() {
		switch o.Tag {
		case tagIssuerAuth:
			if auth != nil || len(o.Value) < 8 || len(o.Value) > 16 {
				return nil, nil
			}
			auth = o.Value
		case tagScript1, tagScript2:
			if total += o.End - o.Offset; total > maxScripts {
				return nil, nil
			}
			scripts = append(scripts, o.Value)
		}
	}
	if d.Err() != nil {
		return nil, nil
	}
	return auth, scripts
}

// script sends the commands of one script until one fails (Book 3, 10.10). One that is coded wrong anywhere is not performed at all.
func (t *tap) script(ctx context.Context, body []byte, gone bool) (result byte, id [4]byte, lost bool, err error) {
	var commands [][]byte
	broken := false
	d := tlv.NewDecoder(body)
	for o, more := d.Next(); more; o, more = d.Next() {
		switch o.Tag {
		case tagScriptID:
			if len(o.Value) == 4 {
				id = [4]byte(o.Value)
			} else {
				broken = true
			}
		case tagScriptCommand:
			broken = broken || len(o.Value) < 4 || len(o.Value) > len(t.buf)
			commands = append(commands, o.Value)
		}
	}
	if gone || broken || d.Err() != nil || len(commands) == 0 {
		return scriptNotPerformed, id, false, nil
	}
	for i, c := range commands {
		_, sw, lost, err := t.exchange(ctx, c)
		if err != nil {
			return 0, id, false, err
		}
		if sw1 := sw >> 8; lost || sw1 != 0x90 && sw1 != 0x62 && sw1 != 0x63 {
			return scriptFailed | byte(min(i+1, 0x0F)), id, lost, nil
		}
	}
	return scriptSucceeded, id, false, nil
}
