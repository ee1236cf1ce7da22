package contactless

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"posd/internal/money"
)

func TestParameterSet(t *testing.T) {
	ui := &UIRequest{}
	for _, c := range []struct {
		name string
		o    Outcome
		want string
		back bool // it reads back as the same outcome
	}{
		{"nothing: every value not applicable", Outcome{}, "F0F0F0F000F0FF00", true},
		{"APPROVED stands in bits 8 to 5", Outcome{Status: Approved}, "10F0F0F000F0FF00", true},
		{"DECLINED", Outcome{Status: Declined}, "20F0F0F000F0FF00", true},
		{"ONLINE REQUEST", Outcome{Status: OnlineRequest}, "30F0F0F000F0FF00", true},
		{"END APPLICATION", Outcome{Status: EndApplication}, "40F0F0F000F0FF00", true},
		{"SELECT NEXT", Outcome{Status: SelectNext}, "50F0F0F000F0FF00", true},
		{"TRY ANOTHER INTERFACE", Outcome{Status: TryAnotherInterface}, "60F0F0F000F0FF00", true},
		{"TRY AGAIN", Outcome{Status: TryAgain}, "70F0F0F000F0FF00", true},
		{"Start A is 0", Outcome{Start: StartA}, "F000F0F000F0FF00", true},
		{"Start B", Outcome{Start: StartB}, "F010F0F000F0FF00", true},
		{"Start C", Outcome{Start: StartC}, "F020F0F000F0FF00", true},
		{"Start D", Outcome{Start: StartD}, "F030F0F000F0FF00", true},
		{"EMV data", Outcome{OnlineResponse: ResponseEMVData}, "F0F010F000F0FF00", true},
		{"any data", Outcome{OnlineResponse: ResponseAny}, "F0F020F000F0FF00", true},
		{"NO CVM is 0", Outcome{CVM: NoCVM}, "F0F0F00000F0FF00", true},
		{"SIGNATURE", Outcome{CVM: Signature}, "F0F0F01000F0FF00", true},
		{"ONLINE PIN", Outcome{CVM: OnlinePIN}, "F0F0F02000F0FF00", true},
		{"CONFIRMATION CODE VERIFIED", Outcome{CVM: ConfirmationCode}, "F0F0F03000F0FF00", true},
		{"UI request on outcome", Outcome{UIOutcome: ui}, "F0F0F0F080F0FF00", false},
		{"UI request on restart", Outcome{UIRestart: ui}, "F0F0F0F040F0FF00", false},
		{"data record", Outcome{DataRecord: []byte{1}}, "F0F0F0F020F0FF00", false},
		{"discretionary data", Outcome{Discretionary: []byte{1}}, "F0F0F0F010F0FF00", false},
		{"receipt", Outcome{Receipt: true}, "F0F0F0F008F0FF00", true},
		{"contact chip preferred", Outcome{Alternate: Contact}, "F0F0F0F00010FF00", true},
		{"magnetic stripe preferred", Outcome{Alternate: Stripe}, "F0F0F0F00020FF00", true},
		{"field off for 1.3 s", Outcome{FieldOff: 1300 * time.Millisecond}, "F0F0F0F000F00D00", true},
		{"field off without a length", Outcome{FieldOff: FieldOffNow}, "F0F0F0F000F00000", true},
		{"field off is rounded up", Outcome{FieldOff: time.Millisecond}, "F0F0F0F000F00100", false},
		{"field off ends before not applicable", Outcome{FieldOff: time.Hour}, "F0F0F0F000F0FE00", false},
		{"removal timeout", Outcome{RemovalTimeout: 10 * time.Second}, "F0F0F0F000F0FF64", true},
		{"removal timeout ends at a byte", Outcome{RemovalTimeout: time.Hour}, "F0F0F0F000F0FFFF", false},
		{"values that are none are not applicable", Outcome{Status: 9, Start: 9, OnlineResponse: 9, CVM: 9, Alternate: 9, RemovalTimeout: -1}, "F0F0F0F000F0FF00", false},
		{
			"kernel 2's answer to a torn card",
			Outcome{Status: EndApplication, Start: StartB, UIOutcome: ui, UIRestart: ui, Discretionary: []byte{1}, FieldOff: 1300 * time.Millisecond},
			"4010F0F0D0F00D00", false,
		},
	} {
		t.Run("DF8129: "+c.name, func(t *testing.T) {
			b := c.o.ParameterSet()
			if !bytes.Equal(b[:], unhex(c.want)) {
				t.Errorf("%X, want %s", b, c.want)
			}
			o, p, err := ParseParameterSet(b[:])
			if err != nil || c.back && !reflect.DeepEqual(o, c.o) {
				t.Errorf("%+v, %v", o, err)
			}
			if want := (Present{c.o.UIOutcome != nil, c.o.UIRestart != nil, c.o.DataRecord != nil, c.o.Discretionary != nil}); p != want {
				t.Errorf("%+v", p)
			}
		})
	}
	for _, c := range []struct {
		in     string
		field  string
		offset int
	}{
		{"", "length", 0},
		{"F0F0F0F000F0FF", "length", 0},
		{"F0F0F0F000F0FF0000", "length", 0},
		{"00F0F0F000F0FF00", "status", 0},
		{"80F0F0F000F0FF00", "status", 0},
		{"01F0F0F000F0FF00", "status", 0}, // a nibble on the wrong side
		{"F040F0F000F0FF00", "start", 1},
		{"F0F000F000F0FF00", "online response data", 2},
		{"F0F0F04000F0FF00", "CVM", 3},
		{"F0F0F0F00030FF00", "alternate interface preference", 5},
	} {
		_, _, err := ParseParameterSet(unhex(c.in))
		var e *CodingError
		if !errors.As(err, &e) || e.Field != c.field || e.Offset != c.offset || !errors.Is(err, ErrCoding) || !strings.Contains(err.Error(), "DF8129") {
			t.Errorf("%s: %v, want %s at %d", c.in, err, c.field, c.offset)
		}
	}
	if o, _, err := ParseParameterSet(unhex("1F2FFF0F07FFFF00")); err != nil || o.Status != Approved || o.Start != StartC || o.CVM != NoCVM || o.Receipt {
		t.Errorf("the low nibbles are reserved: %+v, %v", o, err)
	}
}

func TestUIRequestData(t *testing.T) {
	yuan := money.Yuan(12345)
	for _, c := range []struct {
		name string
		u    UIRequest
		want string
		back bool
	}{
		{"message and status", UIRequest{Message: MsgPresentCard, Status: ReadyToRead}, "15 02 000000 0000000000000000 00 000000000000 0000", true},
		{"no status", UIRequest{Message: MsgNone, Status: StatusNone}, "1E FF 000000 0000000000000000 00 000000000000 0000", true},
		{"hold time in digits of 100 ms", UIRequest{Message: MsgSeePhone, Hold: 1300 * time.Millisecond}, "20 00 000013 0000000000000000 00 000000000000 0000", true},
		{"hold time ends at six digits", UIRequest{Hold: 1000 * time.Hour}, "00 00 999999 0000000000000000 00 000000000000 0000", false},
		{"a hold time below zero is none", UIRequest{Hold: -time.Second}, "00 00 000000 0000000000000000 00 000000000000 0000", false},
		{"languages, padded", UIRequest{Languages: []string{"zh", "en"}}, "00 00 000000 7A68656E00000000 00 000000000000 0000", true},
		{"four languages", UIRequest{Languages: []string{"zh", "en", "fr", "de"}}, "00 00 000000 7A68656E66726465 00 000000000000 0000", true},
		{"a fifth is left out", UIRequest{Languages: []string{"zh", "en", "fr", "de", "it"}}, "00 00 000000 7A68656E66726465 00 000000000000 0000", false},
		{"what is no code is left out", UIRequest{Languages: []string{"zho", "en"}}, "00 00 000000 656E000000000000 00 000000000000 0000", false},
		{"an amount", UIRequest{Amount: &yuan}, "00 00 000000 0000000000000000 10 000000012345 0156", true},
		{"a balance", UIRequest{Amount: &yuan, Balance: true}, "00 00 000000 0000000000000000 20 000000012345 0156", true},
		{"an amount too large", UIRequest{Amount: &money.Amount{Minor: 1e12, Currency: 156}}, "00 00 000000 0000000000000000 00 000000000000 0000", false},
		{"a negative amount", UIRequest{Amount: &money.Amount{Minor: -1, Currency: 156}}, "00 00 000000 0000000000000000 00 000000000000 0000", false},
		{"a currency of four digits", UIRequest{Amount: &money.Amount{Minor: 1, Currency: 1000}}, "00 00 000000 0000000000000000 00 000000000000 0000", false},
	} {
		t.Run("DF8116: "+c.name, func(t *testing.T) {
			b := c.u.Encode()
			if !bytes.Equal(b[:], unhex(c.want)) {
				t.Errorf("%X, want %s", b, c.want)
			}
			u, err := ParseUIRequest(b[:])
			if err != nil || c.back && !reflect.DeepEqual(u, c.u) {
				t.Errorf("%+v, %v", u, err)
			}
		})
	}
	for _, c := range []struct {
		in     string
		field  string
		offset int
	}{
		{"", "length", 0},
		{strings.Repeat("00", 21), "length", 0},
		{strings.Repeat("00", 23), "length", 0},
		{"15 06 000000 0000000000000000 00 000000000000 0000", "status", 1},
		{"15 02 00000A 0000000000000000 00 000000000000 0000", "hold time", 2},
		{"15 02 000000 7A00000000000000 00 000000000000 0000", "language preference", 5},
		{"15 02 000000 7A68310000000000 00 000000000000 0000", "language preference", 7},
		{"15 02 000000 0000000000000000 30 000000000000 0000", "value qualifier", 13},
		{"15 02 000000 0000000000000000 01 000000000000 0000", "", 0},
		{"15 02 000000 0000000000000000 10 00000000000A 0156", "value", 14},
		{"15 02 000000 0000000000000000 10 000000000001 0A56", "currency", 20},
		{"15 02 000000 0000000000000000 10 000000000001 1156", "currency", 20},
	} {
		_, err := ParseUIRequest(unhex(c.in))
		var e *CodingError
		if c.field == "" {
			if err != nil {
				t.Errorf("%s: %v", c.in, err)
			}
			continue
		}
		if !errors.As(err, &e) || e.Field != c.field || e.Offset != c.offset || !strings.Contains(err.Error(), "DF8116") {
			t.Errorf("%s: %v, want %s at %d", c.in, err, c.field, c.offset)
		}
	}
}

func TestMessages(t *testing.T) {
	for _, c := range []struct {
		m    Message
		id   byte
		text string
	}{
		{MsgApproved, 0x03, "approved"},
		{MsgDeclined, 0x07, "not authorised"},
		{MsgEnterPIN, 0x09, "enter your PIN"},
		{MsgError, 0x0F, "processing error"},
		{MsgRemoveCard, 0x10, "remove card"},
		{MsgWelcome, 0x14, "welcome"},
		{MsgPresentCard, 0x15, "present card"},
		{MsgProcessing, 0x16, "processing"},
		{MsgCardReadOK, 0x17, "card read OK, remove card"},
		{MsgInsertOrSwipe, 0x18, "insert or swipe card"},
		{MsgOneCardOnly, 0x19, "present one card only"},
		{MsgApprovedSign, 0x1A, "approved, please sign"},
		{MsgAuthorising, 0x1B, "authorising, please wait"},
		{MsgOtherCard, 0x1C, "insert, swipe or try another card"},
		{MsgInsert, 0x1D, "insert card"},
		{MsgNone, 0x1E, "no message"},
		{MsgSeePhone, 0x20, "see phone for instructions"},
		{MsgPresentAgain, 0x21, "present card again"},
	} {
		if byte(c.m) != c.id || c.m.String() != c.text || !c.m.Known() {
			t.Errorf("%02X: %v", c.id, c.m)
		}
	}
	if m := Message(0x55); m.Known() || m.String() != "message 55" {
		t.Error(m)
	}
	got := fmt.Sprint(Approved, TryAgain, Status(0), Status(9), StartNone, StartD, OnlinePIN, CVMNone, CardRead, StatusNone, UIStatus(7), KernelID(7), KernelID(0x810978))
	want := "Approved Try Again no outcome status 9 no start Start D Online PIN not applicable Card Read Successfully no status status 7 kernel 7 kernel 810978"
	if got != want {
		t.Errorf("%s\n%s", got, want)
	}
	for _, c := range []struct {
		s      UIStatus
		lights uint8
		tone   Tone
	}{{NotReady, 0, NoTone}, {Idle, 1, NoTone}, {ReadyToRead, 1, NoTone}, {Processing, 1, NoTone}, {CardRead, 15, SuccessTone}, {ProcessingError, 0, AlertTone}, {StatusNone, 0, NoTone}} {
		if l, tone := c.s.Signal(); l != c.lights || tone != c.tone {
			t.Errorf("%v: %b %v", c.s, l, tone)
		}
	}
}
