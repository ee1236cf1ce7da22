package emv

import (
	"bytes"

	"posd/emv/oda"
)

// Config is what a Kernel knows beside the card and the transaction: all of it is data of the acquirer, the payment systems and
// the board. It may be shared by several kernels and must not be changed once a Kernel has it.
type Config struct {
	Terminal     Terminal
	Applications []Application
	CAKeys       []CAKey
	Revoked      []Revoked
}

// Terminal is the terminal's own data (Book 4, Annex A). Fields that are empty are absent: a data object list that asks for them
// gets zeros.
type Terminal struct {
	Country      uint16  // 9F1A, ISO 3166 numeric: 156
	Type         byte    // 9F35, two digits: 0x22 is attended, offline with online capability, run by a merchant
	Capabilities [3]byte // 9F33
	Additional   [5]byte // 9F40
	IFDSerial    string  // 9F1E, 8 letters and digits
	TerminalID   string  // 9F1C, 8 letters and digits; ISO 8583 field 41
	MerchantID   string  // 9F16, 15 characters; field 42
	MerchantName string  // 9F4E
	Category     string  // 9F15, four digits
	AcquirerID   string  // 9F01, up to eleven digits

	Risk              RiskPolicy // when terminal risk management is performed
	OnlineOnlyDefault bool       // an online-only terminal that cannot go online goes by the default codes instead of declining (Book 3, 10.7)
	NoSelection       bool       // the cardholder can neither choose nor confirm an application (Book 1, 12.4)
	CDAMode           CDAMode    // when signatures are asked for; 0 is CDAMode1
	ScriptLimit       int        // bytes of issuer scripts taken in one answer, 128 to 4096; 0 is 1024
}

func (t *Terminal) scriptLimit() int {
	if t.ScriptLimit == 0 {
		return defaultScriptLimit
	}
	return t.ScriptLimit
}

// Application is one application the terminal accepts, with the payment system's parameters for it.
type Application struct {
	AID              []byte  // 5 to 16 bytes
	Name             string  // for people; the card's own label is shown to the cardholder
	Partial          bool    // longer names on the card that begin with AID are accepted too (Book 1, 12.3.1)
	Version          [2]byte // 9F09
	TACDenial        [5]byte
	TACOnline        [5]byte
	TACDefault       [5]byte
	FloorLimit       int64  // 9F1B, minor units
	Threshold        int64  // for biased random selection, minor units
	TargetPercent    int    // 0 to 99
	MaxTargetPercent int    // TargetPercent to 99
	DDOL             []byte // default DDOL, used when the card has no 9F49; nil when there is none
	TDOL             []byte // default TDOL, used when the card has no 97; nil when there is none

	Types       []byte // transaction types 9C the application may be used for; empty: all
	NoPINBypass bool   // the cardholder cannot go on without the PIN that the card wants (Book 4, 6.3.4.3 leaves it to the payment system)
	NoOnlinePIN bool   // the terminal's online PIN is not for this application

	// What the terminal is for this application, where the payment system wants it to be something else; zero: as it is.
	TerminalType byte    // 9F35
	Capabilities [3]byte // 9F33
	Additional   [5]byte // 9F40
}

// allows tells whether the application may be used for a transaction type.
func (a *Application) allows(typ byte) bool {
	return len(a.Types) == 0 || bytes.IndexByte(a.Types, typ) >= 0
}

// terminal is what t is for this application.
func (a *Application) terminal(t Terminal) Terminal {
	if a.TerminalType != 0 {
		t.Type = a.TerminalType
	}
	if a.Capabilities != [3]byte{} {
		t.Capabilities = a.Capabilities
	}
	if a.Additional != [5]byte{} {
		t.Additional = a.Additional
	}
	if a.NoOnlinePIN {
		capOnlinePIN.clear(t.Capabilities[:])
	}
	return t
}

// ErrConfig is wrapped by every error about parameters.
var ErrConfig = oda.ErrConfig
