package emv

import "posd/emv/tlv"

// Data objects the kernel handles (Book 3, Annex A).
const (
	tagADFName          tlv.Tag = 0x4F
	tagLabel            tlv.Tag = 0x50
	tagTrack2           tlv.Tag = 0x57
	tagPAN              tlv.Tag = 0x5A
	tagAppTemplate      tlv.Tag = 0x61
	tagFCI              tlv.Tag = 0x6F
	tagRecord           tlv.Tag = 0x70
	tagScript1          tlv.Tag = 0x71
	tagScript2          tlv.Tag = 0x72
	tagFormat2          tlv.Tag = 0x77
	tagFormat1          tlv.Tag = 0x80
	tagAmountBinary     tlv.Tag = 0x81
	tagAIP              tlv.Tag = 0x82
	tagCommand          tlv.Tag = 0x83
	tagDFName           tlv.Tag = 0x84
	tagScriptCommand    tlv.Tag = 0x86
	tagPriority         tlv.Tag = 0x87
	tagSFI              tlv.Tag = 0x88
	tagARC              tlv.Tag = 0x8A
	tagCDOL1            tlv.Tag = 0x8C
	tagCDOL2            tlv.Tag = 0x8D
	tagCVMList          tlv.Tag = 0x8E
	tagCAIndex          tlv.Tag = 0x8F
	tagIssuerCert       tlv.Tag = 0x90
	tagIssuerAuth       tlv.Tag = 0x91
	tagIssuerRest       tlv.Tag = 0x92
	tagSSAD             tlv.Tag = 0x93
	tagAFL              tlv.Tag = 0x94
	tagTVR              tlv.Tag = 0x95
	tagTDOL             tlv.Tag = 0x97
	tagTCHash           tlv.Tag = 0x98
	tagDate             tlv.Tag = 0x9A
	tagTSI              tlv.Tag = 0x9B
	tagType             tlv.Tag = 0x9C
	tagDDFName          tlv.Tag = 0x9D
	tagFCIProp          tlv.Tag = 0xA5
	tagExpiry           tlv.Tag = 0x5F24
	tagEffective        tlv.Tag = 0x5F25
	tagIssuerCountry    tlv.Tag = 0x5F28
	tagCurrency         tlv.Tag = 0x5F2A
	tagLanguage         tlv.Tag = 0x5F2D
	tagPSN              tlv.Tag = 0x5F34
	tagExponent         tlv.Tag = 0x5F36
	tagAcquirerID       tlv.Tag = 0x9F01
	tagAmount           tlv.Tag = 0x9F02
	tagOther            tlv.Tag = 0x9F03
	tagOtherBinary      tlv.Tag = 0x9F04
	tagAID              tlv.Tag = 0x9F06
	tagAUC              tlv.Tag = 0x9F07
	tagCardVersion      tlv.Tag = 0x9F08
	tagVersion          tlv.Tag = 0x9F09
	tagIACDefault       tlv.Tag = 0x9F0D
	tagIACDenial        tlv.Tag = 0x9F0E
	tagIACOnline        tlv.Tag = 0x9F0F
	tagIAD              tlv.Tag = 0x9F10
	tagCodeTable        tlv.Tag = 0x9F11
	tagPreferredName    tlv.Tag = 0x9F12
	tagLastOnlineATC    tlv.Tag = 0x9F13
	tagLCOL             tlv.Tag = 0x9F14
	tagCategory         tlv.Tag = 0x9F15
	tagMerchantID       tlv.Tag = 0x9F16
	tagPINTries         tlv.Tag = 0x9F17
	tagScriptID         tlv.Tag = 0x9F18
	tagCountry          tlv.Tag = 0x9F1A
	tagFloorLimit       tlv.Tag = 0x9F1B
	tagTerminalID       tlv.Tag = 0x9F1C
	tagIFDSerial        tlv.Tag = 0x9F1E
	tagTime             tlv.Tag = 0x9F21
	tagCAIndexTerm      tlv.Tag = 0x9F22
	tagUCOL             tlv.Tag = 0x9F23
	tagAC               tlv.Tag = 0x9F26
	tagCID              tlv.Tag = 0x9F27
	tagPINCert          tlv.Tag = 0x9F2D
	tagPINExp           tlv.Tag = 0x9F2E
	tagPINRest          tlv.Tag = 0x9F2F
	tagIssuerExp        tlv.Tag = 0x9F32
	tagCapabilities     tlv.Tag = 0x9F33
	tagCVMResults       tlv.Tag = 0x9F34
	tagTerminalType     tlv.Tag = 0x9F35
	tagATC              tlv.Tag = 0x9F36
	tagUN               tlv.Tag = 0x9F37
	tagPDOL             tlv.Tag = 0x9F38
	tagEntryMode        tlv.Tag = 0x9F39
	tagAdditional       tlv.Tag = 0x9F40
	tagCounter          tlv.Tag = 0x9F41
	tagAppCurrency      tlv.Tag = 0x9F42
	tagDAC              tlv.Tag = 0x9F45
	tagICCCert          tlv.Tag = 0x9F46
	tagICCExp           tlv.Tag = 0x9F47
	tagICCRest          tlv.Tag = 0x9F48
	tagDDOL             tlv.Tag = 0x9F49
	tagSDATagList       tlv.Tag = 0x9F4A
	tagSDAD             tlv.Tag = 0x9F4B
	tagICCDynamic       tlv.Tag = 0x9F4C
	tagMerchantName     tlv.Tag = 0x9F4E
	tagScriptResultsEMV tlv.Tag = 0x9F5B
	tagScriptResults    tlv.Tag = 0xDF31
)

// bit names one bit of a byte string: byte 1 is the first, bit 8 the most significant, as the books count.
type bit struct{ octet, bit uint8 }

func (b bit) in(s []byte) bool { return s[b.octet-1]>>(b.bit-1)&1 == 1 }
func (b bit) set(s []byte)     { s[b.octet-1] |= 1 << (b.bit - 1) }
func (b bit) clear(s []byte)   { s[b.octet-1] &^= 1 << (b.bit - 1) }

// Application Interchange Profile (Book 3, C1).
var (
	aipSDA        = bit{1, 7}
	aipDDA        = bit{1, 6}
	aipCVM        = bit{1, 5}
	aipRisk       = bit{1, 4}
	aipIssuerAuth = bit{1, 3}
	aipCDA        = bit{1, 1}
)

// Application Usage Control (Book 3, C2).
var (
	aucDomesticCash      = bit{1, 8}
	aucForeignCash       = bit{1, 7}
	aucDomesticGoods     = bit{1, 6}
	aucForeignGoods      = bit{1, 5}
	aucDomesticServices  = bit{1, 4}
	aucForeignServices   = bit{1, 3}
	aucATM               = bit{1, 2}
	aucOtherThanATM      = bit{1, 1}
	aucDomesticCashback  = bit{2, 8}
	aucForeignCashback   = bit{2, 7}
	addCapCash           = bit{1, 8} // Additional Terminal Capabilities (Book 4, A3)
	capPlainPIN          = bit{2, 8} // Terminal Capabilities (Book 4, A2)
	capOnlinePIN         = bit{2, 7}
	capSignature         = bit{2, 6}
	capEncipheredPIN     = bit{2, 5}
	capNoCVM             = bit{2, 4}
	capSDA               = bit{3, 8}
	capDDA               = bit{3, 7}
	capCDA               = bit{3, 4}
	priorityConfirmation = bit{1, 8} // Application Priority Indicator (Book 1, 12.2.3)
)

// Terminal Verification Results (Book 3, C5).
var (
	tvrODANotPerformed  = bit{1, 8}
	tvrSDAFailed        = bit{1, 7}
	tvrDataMissing      = bit{1, 6}
	tvrException        = bit{1, 5}
	tvrDDAFailed        = bit{1, 4}
	tvrCDAFailed        = bit{1, 3}
	tvrSDASelected      = bit{1, 2}
	tvrVersionsDiffer   = bit{2, 8}
	tvrExpired          = bit{2, 7}
	tvrNotYetEffective  = bit{2, 6}
	tvrServiceNotOK     = bit{2, 5}
	tvrNewCard          = bit{2, 4}
	tvrCVMFailed        = bit{3, 8}
	tvrCVMUnknown       = bit{3, 7}
	tvrPINTryLimit      = bit{3, 6}
	tvrPINPadFailed     = bit{3, 5}
	tvrPINNotEntered    = bit{3, 4}
	tvrOnlinePIN        = bit{3, 3}
	tvrFloorLimit       = bit{4, 8}
	tvrLowerLimit       = bit{4, 7}
	tvrUpperLimit       = bit{4, 6}
	tvrForcedOnline     = bit{4, 4}
	tvrRandom           = bit{4, 5}
	tvrDefaultTDOL      = bit{5, 8}
	tvrIssuerAuthFailed = bit{5, 7}
	tvrScriptBefore     = bit{5, 6}
	tvrScriptAfter      = bit{5, 5}
)

// Transaction Status Information (Book 3, C6).
var (
	tsiODA        = bit{1, 8}
	tsiCVM        = bit{1, 7}
	tsiCardRisk   = bit{1, 6}
	tsiIssuerAuth = bit{1, 5}
	tsiRisk       = bit{1, 4}
	tsiScript     = bit{1, 3}
)
