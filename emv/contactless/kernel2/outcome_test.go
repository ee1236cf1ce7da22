package kernel2

import (
	"testing"
	"time"

	"posd/emv/contactless"
	"posd/internal/money"
)

func TestParameterSet(t *testing.T) {
	for name, c := range map[string]struct {
		o    contactless.Outcome
		want string
	}{
		"A.1: nothing set":             {contactless.Outcome{}, "F0F0F0F000F0FF00"},
		"A.1: approved, no CVM":        {contactless.Outcome{Status: contactless.Approved, CVM: contactless.NoCVM, UIOutcome: &contactless.UIRequest{}, DataRecord: []byte{}, Discretionary: []byte{}}, "10F0F000B0F0FF00"},
		"A.1: online, PIN, receipt":    {contactless.Outcome{Status: contactless.OnlineRequest, CVM: contactless.OnlinePIN, Receipt: true}, "30F0F02008F0FF00"},
		"A.1: end, start B, restart":   {contactless.Outcome{Status: contactless.EndApplication, Start: contactless.StartB, UIRestart: &contactless.UIRequest{}}, "4010F0F040F0FF00"},
		"A.1: select next, start C":    {contactless.Outcome{Status: contactless.SelectNext, Start: contactless.StartC}, "5020F0F000F0FF00"},
		"A.1: another interface, code": {contactless.Outcome{Status: contactless.TryAnotherInterface, CVM: contactless.ConfirmationCode}, "60F0F03000F0FF00"},
		"A.1: try again":               {contactless.Outcome{Status: contactless.TryAgain, Start: contactless.StartB}, "7010F0F000F0FF00"},
		"A.1: declined, signature":     {contactless.Outcome{Status: contactless.Declined, CVM: contactless.Signature}, "20F0F01000F0FF00"},
		"A.1: field off 1.3 s":         {contactless.Outcome{FieldOff: 1300 * time.Millisecond}, "F0F0F0F000F00D00"},
		"A.1: field off of no length":  {contactless.Outcome{FieldOff: contactless.FieldOffNow}, "F0F0F0F000F00000"},
		"A.1: removal time-out 2 s":    {contactless.Outcome{RemovalTimeout: 2 * time.Second}, "F0F0F0F000F0FF14"},
	} {
		if got := ParameterSet(c.o); hexOf(got[:]) != c.want {
			t.Errorf("%s: %X, want %s", name, got, c.want)
		}
	}
}

func TestRequestData(t *testing.T) {
	a := money.Amount{Minor: 12345, Currency: 978}
	for name, c := range map[string]struct {
		u    contactless.UIRequest
		want string
	}{
		"A.1: authorising":            {contactless.UIRequest{Message: contactless.MsgAuthorising}, "1B00000000" + "0000000000000000" + "00" + "000000000000" + "0000"},
		"A.1: hold time, languages":   {contactless.UIRequest{Message: 0x03, Hold: 1300 * time.Millisecond, Languages: []string{"de", "en"}}, "0300000013" + "6465656E00000000" + "00" + "000000000000" + "0000"},
		"A.1: balance":                {contactless.UIRequest{Message: 0x03, Amount: &a, Balance: true}, "0300000000" + "0000000000000000" + "20" + "000000012345" + "0978"},
		"A.1: amount":                 {contactless.UIRequest{Message: 0x03, Status: contactless.ReadyToRead, Amount: &a}, "0302000000" + "0000000000000000" + "10" + "000000012345" + "0978"},
		"A.1: more languages than go": {contactless.UIRequest{Languages: []string{"aa", "bb", "cc", "dd", "ee"}}, "0000000000" + "6161626263636464" + "00" + "000000000000" + "0000"},
	} {
		if got := RequestData(c.u); hexOf(got[:]) != c.want {
			t.Errorf("%s: %X, want %s", name, got, c.want)
		}
	}
}

func TestLanguages(t *testing.T) {
	for in, want := range map[string]int{"": 0, "d": 0, "de": 1, "DEen": 2, "deenfrit": 4, "de1n": 1, "\x00\x00": 0} {
		if got := languages([]byte(in)); len(got) != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}
