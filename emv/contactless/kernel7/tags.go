package kernel7

import "posd/emv/tlv"

// Data objects the kernel handles.
const (
	tagLabel         tlv.Tag = 0x50
	tagTrack2        tlv.Tag = 0x57
	tagPAN           tlv.Tag = 0x5A
	tagFCI           tlv.Tag = 0x6F
	tagRecord        tlv.Tag = 0x70
	tagFormat2       tlv.Tag = 0x77
	tagFormat1       tlv.Tag = 0x80
	tagAmountBinary  tlv.Tag = 0x81
	tagAIP           tlv.Tag = 0x82
	tagCommand       tlv.Tag = 0x83
	tagDFName        tlv.Tag = 0x84
	tagCAIndex       tlv.Tag = 0x8F
	tagAFL           tlv.Tag = 0x94
	tagTVR           tlv.Tag = 0x95
	tagDate          tlv.Tag = 0x9A
	tagType          tlv.Tag = 0x9C
	tagFCIProp       tlv.Tag = 0xA5
	tagExpiry        tlv.Tag = 0x5F24
	tagCurrency      tlv.Tag = 0x5F2A
	tagLanguage      tlv.Tag = 0x5F2D
	tagPSN           tlv.Tag = 0x5F34
	tagExponent      tlv.Tag = 0x5F36
	tagAcquirerID    tlv.Tag = 0x9F01
	tagAmount        tlv.Tag = 0x9F02
	tagOther         tlv.Tag = 0x9F03
	tagAID           tlv.Tag = 0x9F06
	tagVersion       tlv.Tag = 0x9F09
	tagIAD           tlv.Tag = 0x9F10
	tagCodeTable     tlv.Tag = 0x9F11
	tagPreferredName tlv.Tag = 0x9F12
	tagCategory      tlv.Tag = 0x9F15
	tagMerchantID    tlv.Tag = 0x9F16
	tagCountry       tlv.Tag = 0x9F1A
	tagTerminalID    tlv.Tag = 0x9F1C
	tagIFDSerial     tlv.Tag = 0x9F1E
	tagTime          tlv.Tag = 0x9F21
	tagAC            tlv.Tag = 0x9F26
	tagCID           tlv.Tag = 0x9F27
	tagCapabilities  tlv.Tag = 0x9F33
	tagCVMResults    tlv.Tag = 0x9F34
	tagTerminalType  tlv.Tag = 0x9F35
	tagATC           tlv.Tag = 0x9F36
	tagUN            tlv.Tag = 0x9F37
	tagPDOL          tlv.Tag = 0x9F38
	tagEntryMode     tlv.Tag = 0x9F39
	tagAdditional    tlv.Tag = 0x9F40
	tagCounter       tlv.Tag = 0x9F41
	tagSDAD          tlv.Tag = 0x9F4B
	tagMerchantName  tlv.Tag = 0x9F4E
	tagCardCurrency  tlv.Tag = 0x9F51 // first application currency
	tagCardCurrency2 tlv.Tag = 0xDF71 // second application currency
	tagOfflineAmount tlv.Tag = 0x9F5D // available offline spending amount
	tagProduct       tlv.Tag = 0x9F63 // product identification
	tagTTQ           tlv.Tag = 0x9F66
	tagCardAuth      tlv.Tag = 0x9F69 // card authentication related data
	tagCTQ           tlv.Tag = 0x9F6C
	tagCashCode      tlv.Tag = 0x9F74 // electronic cash issuer authorisation code
	tagCashBalance   tlv.Tag = 0x9F79
	tagCashSupport   tlv.Tag = 0x9F7A
	tagCashLimit     tlv.Tag = 0x9F7B
	tagExtended      tlv.Tag = 0xDF60 // extended application supported
	tagSM            tlv.Tag = 0xDF69 // Chinese algorithms supported
)

// source is where a data object of the card has to stand to be used.
type source uint8

const (
	elsewhere source = iota // not an object that a card gives here; whatever a card says in it is as good as unknown
	inOptions               // template 77 in answer to GET PROCESSING OPTIONS
	inEither                // there, or in a record
)

// sourceOf is a list of what is taken, not of what is refused: a card can speak neither for the terminal nor twice for itself (contactless
// Book C-7, Annex A; JR/T 0025.12). 9F74 and 9F79 are the electronic cash's.
func sourceOf(t tlv.Tag) source {
	switch t {
	case tagAIP, tagAFL, tagATC, tagAC, tagCID, tagIAD:
		return inOptions
	case tagTrack2, tagPAN, tagExpiry, tagPSN, tagCAIndex, tagSDAD, tagCardCurrency, tagCardCurrency2, tagOfflineAmount, tagProduct,
		tagCardAuth, tagCTQ, tagCashCode,
		0x90, 0x92, 0x9F32, 0x9F46, 0x9F47, 0x9F48, 0x9F4A, // certificates
		0x5F20, 0x9F0B, 0x5F25, 0x5F28, 0x5F30, 0x9F07, 0x9F08, 0x9F42, // name, dates, country, service code, usage, version, currency
		0x9F19, 0x9F24, 0x9F25, 0x9F7C, 0xDF61, 0x9F61, 0x9F62: // tokens of phones, proprietary data, documents
		return inEither
	}
	return elsewhere
}
