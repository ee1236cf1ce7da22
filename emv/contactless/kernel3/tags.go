package kernel3

import "posd/emv/tlv"

// Data objects (Book C-3, annex A; Book 3, annex A).
const (
	tagTrack2        tlv.Tag = 0x57
	tagPAN           tlv.Tag = 0x5A
	tagFCI           tlv.Tag = 0x6F
	tagRecord        tlv.Tag = 0x70
	tagScript1       tlv.Tag = 0x71
	tagScript2       tlv.Tag = 0x72
	tagFormat2       tlv.Tag = 0x77
	tagFormat1       tlv.Tag = 0x80
	tagAIP           tlv.Tag = 0x82
	tagCommand       tlv.Tag = 0x83
	tagDFName        tlv.Tag = 0x84
	tagScriptCommand tlv.Tag = 0x86
	tagCAIndex       tlv.Tag = 0x8F
	tagIssuerCert    tlv.Tag = 0x90
	tagIssuerAuth    tlv.Tag = 0x91
	tagSSAD          tlv.Tag = 0x93
	tagAFL           tlv.Tag = 0x94
	tagTVR           tlv.Tag = 0x95
	tagDate          tlv.Tag = 0x9A
	tagType          tlv.Tag = 0x9C
	tagFCIProp       tlv.Tag = 0xA5
	tagExpiry        tlv.Tag = 0x5F24
	tagIssuerCountry tlv.Tag = 0x5F28
	tagCurrency      tlv.Tag = 0x5F2A
	tagLanguage      tlv.Tag = 0x5F2D
	tagPSN           tlv.Tag = 0x5F34
	tagExponent      tlv.Tag = 0x5F36
	tagAcquirerID    tlv.Tag = 0x9F01
	tagAmount        tlv.Tag = 0x9F02
	tagOther         tlv.Tag = 0x9F03
	tagAID           tlv.Tag = 0x9F06
	tagAUC           tlv.Tag = 0x9F07
	tagVersion       tlv.Tag = 0x9F09
	tagIAD           tlv.Tag = 0x9F10
	tagCategory      tlv.Tag = 0x9F15
	tagMerchantID    tlv.Tag = 0x9F16
	tagScriptID      tlv.Tag = 0x9F18
	tagCountry       tlv.Tag = 0x9F1A
	tagTerminalID    tlv.Tag = 0x9F1C
	tagIFDSerial     tlv.Tag = 0x9F1E
	tagTime          tlv.Tag = 0x9F21
	tagPAR           tlv.Tag = 0x9F24
	tagAC            tlv.Tag = 0x9F26
	tagCID           tlv.Tag = 0x9F27
	tagIssuerExp     tlv.Tag = 0x9F32
	tagCapabilities  tlv.Tag = 0x9F33
	tagTerminalType  tlv.Tag = 0x9F35
	tagATC           tlv.Tag = 0x9F36
	tagUN            tlv.Tag = 0x9F37
	tagPDOL          tlv.Tag = 0x9F38
	tagEntryMode     tlv.Tag = 0x9F39
	tagAdditional    tlv.Tag = 0x9F40
	tagCounter       tlv.Tag = 0x9F41
	tagDAC           tlv.Tag = 0x9F45
	tagICCCert       tlv.Tag = 0x9F46
	tagICCExp        tlv.Tag = 0x9F47
	tagSDAD          tlv.Tag = 0x9F4B
	tagICCDynamic    tlv.Tag = 0x9F4C
	tagMerchantName  tlv.Tag = 0x9F4E
	tagProgramID     tlv.Tag = 0x9F5A // Application Program Identifier
	tagScriptResults tlv.Tag = 0x9F5B
	tagBalance       tlv.Tag = 0x9F5D // Available Offline Spending Amount
	tagTTQ           tlv.Tag = 0x9F66
	tagCARD          tlv.Tag = 0x9F69 // Card Authentication Related Data
	tagCTQ           tlv.Tag = 0x9F6C
	tagFormFactor    tlv.Tag = 0x9F6E
	tagCustomer      tlv.Tag = 0x9F7C // Customer Exclusive Data
	tagIssuerDiscret tlv.Tag = 0xBF0C
)

// Terminal Transaction Qualifiers 9F66 (Book A, table 5-4; Book C-3, A.2).
const (
	ttqMSD              = 0x80 // byte 1
	ttqEMV              = 0x20
	ttqContact          = 0x10
	ttqOfflineOnly      = 0x08
	ttqOnlinePIN        = 0x04
	ttqSignature        = 0x02
	ttqODAOnline        = 0x01
	ttqOnlineCryptogram = 0x80 // byte 2
	ttqCVMRequired      = 0x40
	ttqIssuerUpdate     = 0x80 // byte 3
)

// Card Transaction Qualifiers 9F6C (Book C-3, A.2).
const (
	ctqOnlinePIN       = 0x80 // byte 1
	ctqSignature       = 0x40
	ctqOnlineIfODA     = 0x20
	ctqSwitchIfODA     = 0x10
	ctqOnlineIfExpired = 0x08
	ctqSwitchCash      = 0x04
	ctqSwitchCashback  = 0x02
	ctqNotAtATM        = 0x01 // newer than other tables, one of which names it the other way round
	ctqCDCVM           = 0x80 // byte 2
	ctqIssuerUpdate    = 0x40
)

// Application Usage Control 9F07 (Book 3, C2).
const (
	aucDomesticCash     = 0x80 // byte 1
	aucForeignCash      = 0x40
	aucATM              = 0x02
	aucDomesticCashback = 0x80 // byte 2
	aucForeignCashback  = 0x40
)

// Application Interchange Profile 82 (Book C-3, A.2).
const (
	aipSDAOnline = 0x40 // byte 1: SDA, for online authorisations
	aipDDA       = 0x20
)

// Status bytes that decide something (Book C-3, 5.2.2.2).
const (
	swOK           = 0x9000
	swOtherContact = 0x6984
	swSelectNext   = 0x6985
	swSeePhone     = 0x6986
)

// Transaction types 9C.
const (
	typeCash         = 0x01
	typeCashback     = 0x09
	typeDisbursement = 0x17
	typeRefund       = 0x20
)

// fixed are the objects of a transaction whose bytes the kernel looks at, with their lengths: from, to.
var fixed = map[tlv.Tag][2]int{
	tagTrack2: {8, 19}, tagPAN: {4, 10}, tagAIP: {2, 2}, tagAC: {8, 8}, tagCID: {1, 1}, tagATC: {2, 2}, tagIAD: {1, 32},
	tagExpiry: {3, 3}, tagIssuerCountry: {2, 2}, tagPSN: {1, 1}, tagAUC: {2, 2}, tagCTQ: {2, 2}, tagCARD: {5, 16}, tagBalance: {6, 6},
	tagFormFactor: {4, 32}, tagCAIndex: {1, 1}, tagCustomer: {1, 32}, tagPAR: {29, 29}, tagAFL: {4, 252},
}

// ofTerminal tells which objects only the terminal or the issuer may give: from a card they are passed over.
func ofTerminal(t tlv.Tag) bool {
	switch t {
	case tagTVR, tagDate, tagType, tagCurrency, tagExponent, tagAcquirerID, tagAmount, tagOther, tagAID, tagVersion, tagCategory, tagMerchantID,
		tagScriptID, tagCountry, tagTerminalID, tagIFDSerial, tagTime, tagCapabilities, tagTerminalType, tagUN, tagEntryMode, tagAdditional,
		tagCounter, tagMerchantName, tagTTQ, tagScriptCommand, tagIssuerAuth, tagScriptResults, tagDAC, tagICCDynamic,
		0x81, 0x89, 0x8A, 0x98, 0x99, 0x9B, 0x9F04, 0x9F1B, 0x9F1D, 0x9F22, 0x9F34, 0x9F3A, 0x9F3C, 0x9F3D:
		return true
	}
	return false
}
