package contactless

import (
	"time"

	"posd/emv/tlv"
	"posd/internal/money"
)

// Start is where the Entry Point begins, or begins again (Book A, 6.2; Book B, 2.2).
type Start uint8

// Start points.
const (
	StartNone Start = iota // not applicable
	StartA                 // pre-processing
	StartB                 // protocol activation
	StartC                 // combination selection
	StartD                 // kernel activation
)

// Status is the outcome's name (Book A, 6.2).
type Status uint8

// Outcomes of a kernel.
const (
	Approved Status = iota + 1
	Declined
	OnlineRequest
	EndApplication
	SelectNext
	TryAnotherInterface
	TryAgain
)

// CVM is the cardholder verification that an outcome asks for (Book A, 6.2).
type CVM uint8

// Cardholder verification methods of an outcome.
const (
	CVMNone CVM = iota // not applicable
	NoCVM              // none is needed
	Signature
	OnlinePIN
	ConfirmationCode // verified on the cardholder's own device
)

// OnlineResponse says which answers of the host bring the card back (Book A, 6.2).
type OnlineResponse uint8

// Online response data.
const (
	ResponseNone    OnlineResponse = iota // not applicable
	ResponseEMVData                       // when there are 91, 71 or 72 in it
	ResponseAny
)

// Exemption says what a payment system's rules for small amounts spare the cardholder (UnionPay's QPS). CVM takes it into account already; the
// slip and the message to the acquirer say that there is an exemption.
type Exemption struct {
	PIN       bool // an online PIN was due
	Signature bool // the slip needs none
}

// Interface is the alternate interface preference.
type Interface uint8

// Interfaces.
const (
	InterfaceNone Interface = iota
	Contact
	Stripe
)

// Outcome is what a kernel concludes, with its parameters (Book A, 6.2 and table 6-1).
type Outcome struct {
	Status         Status
	Start          Start
	OnlineResponse OnlineResponse
	CVM            CVM
	Exempt         Exemption
	UIOutcome      *UIRequest // to show now
	UIRestart      *UIRequest // to show when the field is on again
	Receipt        bool
	DataRecord     []byte // TLV objects for the authorisation and the clearing, one behind the other; without the template FF8105
	Discretionary  []byte // TLV objects for the terminal
	// Objects are all data objects of the transaction, the kernel's, the card's and the terminal's, for field 55, the receipt and the
	// journal; nil when there are none but those of DataRecord. They stay as they are whatever the kernel does next. *tlv.Store is one.
	Objects        Objects
	Alternate      Interface
	FieldOff       time.Duration // the field is to be off that long; 0 is not applicable, FieldOffNow has no length
	RemovalTimeout time.Duration // how long the card may stay and wait (present and hold); 0 is none
}

// FieldOffNow is a field off request with a hold time of zero: the field goes off, and may be on again at once.
const FieldOffNow time.Duration = -1

// Objects looks a data object up. The slice must not be changed.
type Objects interface {
	Get(tag tlv.Tag) ([]byte, bool)
}

// Message is a message identifier of the user interface (Book A, table 9-3).
type Message uint8

// Message identifiers.
const (
	MsgApproved      Message = 0x03
	MsgDeclined      Message = 0x07
	MsgEnterPIN      Message = 0x09
	MsgError         Message = 0x0F
	MsgRemoveCard    Message = 0x10
	MsgWelcome       Message = 0x14
	MsgPresentCard   Message = 0x15
	MsgProcessing    Message = 0x16
	MsgCardReadOK    Message = 0x17
	MsgInsertOrSwipe Message = 0x18
	MsgOneCardOnly   Message = 0x19
	MsgApprovedSign  Message = 0x1A
	MsgAuthorising   Message = 0x1B
	MsgOtherCard     Message = 0x1C // insert, swipe or try another card
	MsgInsert        Message = 0x1D
	MsgNone          Message = 0x1E
	MsgSeePhone      Message = 0x20
	MsgPresentAgain  Message = 0x21
)

// UIStatus drives lights and tones (Book A, 9.2 and 9.3).
type UIStatus uint8

// States of the reader as people see and hear them.
const (
	NotReady UIStatus = iota
	Idle
	ReadyToRead
	Processing
	CardRead
	ProcessingError
	StatusNone UIStatus = 0xFF
)

// UIRequest is a user interface request (Book A, 7; DF8116 of kernel 2).
type UIRequest struct {
	Message   Message
	Status    UIStatus
	Hold      time.Duration // the message stays at least so long
	Languages []string      // the card's preference, 5F2D
	Amount    *money.Amount // value to show with it, nil for none
	Balance   bool          // the value is a balance, not the amount
}
