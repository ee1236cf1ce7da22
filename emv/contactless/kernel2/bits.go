package kernel2

// bit names one bit of a byte string: byte 1 is the first, bit 8 the most significant, as the books count.
type bit struct{ octet, bit uint8 }

func (b bit) in(s []byte) bool {
	return len(s) >= int(b.octet) && s[b.octet-1]>>(b.bit-1)&1 == 1
}

func (b bit) set(s []byte) { s[b.octet-1] |= 1 << (b.bit - 1) }

// Application Interchange Profile (Book C-2, A.1).
var (
	aipCVM      = bit{1, 5}
	aipOnDevice = bit{1, 2}
	aipCDA      = bit{1, 1}
	aipEMVMode  = bit{2, 8}
	aipRRP      = bit{2, 1}
)

// Terminal Verification Results. Of byte 5 bits 2 and 1 are one number: rrpNotPerformed, rrpPerformed.
var (
	tvrODANotPerformed = bit{1, 8}
	tvrDataMissing     = bit{1, 6}
	tvrCDAFailed       = bit{1, 3}
	tvrVersionsDiffer  = bit{2, 8}
	tvrExpired         = bit{2, 7}
	tvrNotYetEffective = bit{2, 6}
	tvrServiceNotOK    = bit{2, 5}
	tvrCVMFailed       = bit{3, 8}
	tvrCVMUnknown      = bit{3, 7}
	tvrOnlinePIN       = bit{3, 3}
	tvrFloorLimit      = bit{4, 8}
	tvrRRPThreshold    = bit{5, 4}
	tvrRRPTimeLimits   = bit{5, 3}
)

const (
	rrpMask         = 0x03
	rrpNotPerformed = 0x01
	rrpPerformed    = 0x02
)

// Terminal Capabilities 9F33, Additional Terminal Capabilities 9F40, Application Usage Control 9F07.
var (
	capContacts         = bit{1, 6}
	capOnlinePIN        = bit{2, 7}
	capSignature        = bit{2, 6}
	capNoCVM            = bit{2, 4}
	capCDA              = bit{3, 4}
	addCash             = bit{1, 8}
	aucDomesticCash     = bit{1, 8}
	aucForeignCash      = bit{1, 7}
	aucDomesticGoods    = bit{1, 6}
	aucForeignGoods     = bit{1, 5}
	aucDomesticServices = bit{1, 4}
	aucForeignServices  = bit{1, 3}
	aucATM              = bit{1, 2}
	aucOtherThanATM     = bit{1, 1}
	aucDomesticCashback = bit{2, 8}
	aucForeignCashback  = bit{2, 7}
)

// Kernel Configuration DF811B, Application Capabilities Information 9F5D and the small flags of data storage.
var (
	cfgNoMagStripe   = bit{1, 8}
	cfgNoEMV         = bit{1, 7}
	cfgOnDevice      = bit{1, 6}
	cfgRRP           = bit{1, 5}
	aciFieldOff      = bit{2, 3}
	aciBalance       = bit{2, 2}
	aciCDAOverAAC    = bit{2, 1}
	idsRead          = bit{1, 8}
	idsWrite         = bit{1, 7}
	dsReadOK         = bit{1, 8}
	dsWriteOK        = bit{1, 7}
	slotPermanent    = bit{1, 8}
	slotLocked       = bit{1, 5}
	odsVolatile      = bit{1, 7}
	odsUsableForARQC = bit{1, 7}
	odsUsableForAAC  = bit{1, 6}
	odsStopIfNoTerm  = bit{1, 3}
	odsStopIfNoWrite = bit{1, 2}
	pciiDeviceCVM    = bit{2, 5} // on-device verification was successful
	mobileCVM        = bit{1, 2} // 9F7E: verification on the device is wanted
)

// Requests and answers of GENERATE AC: bits 8 and 7 of DF8114, 9F27 and DF8108.
const (
	acAAC  = 0x00
	acTC   = 0x40
	acARQC = 0x80
	acMask = 0xC0
	acCDA  = 0x10 // DF8114: with a signature
)

// Transaction types 9C that the kernel tells apart.
const (
	typeGoods        = 0x00
	typeCash         = 0x01
	typeCashback     = 0x09
	typeDisbursement = 0x17
)
