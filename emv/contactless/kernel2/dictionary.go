package kernel2

import "posd/emv/tlv"

// template says in which templates of the card's answers an object may stand.
type template uint8

const (
	in6F template = 1 << iota
	inA5
	inBF0C
	in70
	in77
	inGetData // alone, as the answer to GET DATA
)

// source says who may give an object a value beside the kernel itself (Book C-2, 4.1.2: RA, ACT, DET).
type source uint8

const (
	fromCard     source = 1 << iota // RA
	fromTerminal                    // ACT and DET: data of the transaction
)

// definition is one line of the data dictionary (Book C-2, A.1): the lengths that are accepted, where it may come from.
type definition struct {
	min, max int
	from     source
	in       template
}

const anyLength = 4096 // "var." in the dictionary; bounded all the same

// dictionary is what the kernel knows. An object that is not here and comes from the card is ignored.
//
// Sources: two implementations carry this table with templates, access conditions and lengths; they agree but for DS Summary 1 (8..18 in
// one; the text of both uses 8 or 16) and the mag-stripe limits.
var dictionary = map[tlv.Tag]definition{
	tagLabel:          {0, 16, fromCard, inA5},
	tagTrack1:         {0, 76, fromCard, in70},
	tagTrack2Eq:       {0, 19, fromCard, in70 | in77},
	tagPAN:            {0, 10, fromCard, in70 | in77},
	tagAIP:            {2, 2, fromCard, in77},
	tagDFName:         {5, 16, fromCard, in6F},
	tagPriority:       {1, 1, fromCard, inA5},
	tagCDOL1:          {0, 250, fromCard, in70 | in77},
	tagCVMList:        {10, 250, fromCard, in70 | in77},
	tagCAIndex:        {1, 1, fromCard, in70 | in77},
	tagIssuerCert:     {0, 248, fromCard, in70 | in77},
	tagIssuerRest:     {0, 250, fromCard, in70 | in77},
	tagAFL:            {4, 248, fromCard, in77},
	tagTVR:            {5, 5, 0, 0},
	tagDate:           {3, 3, fromTerminal, 0},
	tagType:           {1, 1, fromTerminal, 0},
	tagExpiry:         {3, 3, fromCard, in70 | in77},
	tagEffective:      {3, 3, fromCard, in70 | in77},
	tagIssuerCountry:  {2, 2, fromCard, in70 | in77},
	tagCurrency:       {2, 2, fromTerminal, 0},
	tagLanguage:       {2, 8, fromCard, inA5},
	tagServiceCode:    {2, 2, fromCard, in70 | in77},
	tagPSN:            {1, 1, fromCard, in70 | in77},
	tagExponent:       {1, 1, fromTerminal, 0},
	tagAccountType:    {1, 1, fromTerminal, 0},
	tagAcquirerID:     {6, 6, 0, 0},
	tagAmount:         {6, 6, fromTerminal, 0},
	tagOther:          {6, 6, fromTerminal, 0},
	tagAUC:            {2, 2, fromCard, in70 | in77},
	tagCardVersion:    {2, 2, fromCard, in70 | in77},
	tagVersion:        {2, 2, 0, 0},
	tagIACDefault:     {5, 5, fromCard, in70 | in77},
	tagIACDenial:      {5, 5, fromCard, in70 | in77},
	tagIACOnline:      {5, 5, fromCard, in70 | in77},
	tagIAD:            {0, 32, fromCard, in77},
	tagCodeTable:      {1, 1, fromCard, inA5},
	tagPreferredName:  {0, 16, fromCard, inA5},
	tagCategory:       {2, 2, 0, 0},
	tagMerchantID:     {15, 15, 0, 0},
	tagCountry:        {2, 2, 0, 0},
	tagTerminalID:     {8, 8, 0, 0},
	tagRiskData:       {8, 8, 0, 0},
	tagIFDSerial:      {8, 8, 0, 0},
	tagTrack1DD:       {0, 54, fromCard, in70 | in77},
	tagTrack2DD:       {0, 16, fromCard, in70 | in77},
	tagTime:           {3, 3, fromTerminal, 0},
	tagPAR:            {29, 29, fromCard, in70 | in77},
	tagAC:             {8, 8, fromCard, in77},
	tagCID:            {1, 1, fromCard, in77},
	tagIssuerExp:      {1, 3, fromCard, in70 | in77},
	tagCapabilities:   {3, 3, 0, 0},
	tagCVMResults:     {3, 3, 0, 0},
	tagTerminalType:   {1, 1, 0, 0},
	tagATC:            {2, 2, fromCard, in77},
	tagUN:             {4, 4, 0, 0},
	tagPDOL:           {0, 240, fromCard, inA5},
	tagAdditional:     {5, 5, 0, 0},
	tagAppCurrency:    {2, 2, fromCard, in70 | in77},
	tagAppExponent:    {1, 1, fromCard, in70 | in77},
	tagICCCert:        {0, 248, fromCard, in70 | in77},
	tagICCExp:         {1, 3, fromCard, in70 | in77},
	tagICCRest:        {0, 250, fromCard, in70 | in77},
	tagTagList:        {0, 250, fromCard, in70 | in77},
	tagSDAD:           {0, 250, fromCard, in77},
	tagICCDynamic:     {2, 8, 0, 0},
	tagLogEntry:       {2, 2, fromCard, inBF0C},
	tagMerchantName:   {0, anyLength, 0, 0},
	tagBalance:        {6, 6, fromCard, inGetData},
	tagDRDOL:          {0, 250, fromCard, in70 | in77},
	tagCategoryCode:   {1, 1, fromTerminal, 0},
	tagODSCard:        {0, 160, fromCard, in77},
	tagDSDOL:          {0, 250, fromCard, in70},
	tagOperatorID:     {8, 8, fromTerminal, 0},
	tagACI:            {3, 3, fromCard, inBF0C},
	tagDSID:           {8, 11, fromCard, inBF0C},
	tagSlotAvailable:  {1, 1, fromCard, in77},
	tagCVC3T1:         {2, 2, fromCard, in77},
	tagCVC3T2:         {2, 2, fromCard, in77},
	tagPCVC3T1:        {6, 6, fromCard, in70},
	tagPUNATCT1:       {6, 6, fromCard, in70},
	tagNATCT1:         {1, 1, fromCard, in70},
	tagPCVC3T2:        {2, 2, fromCard, in70},
	tagPUNATCT2:       {2, 2, fromCard, in70},
	tagNATCT2:         {1, 1, fromCard, in70},
	tagUDOL:           {0, 250, fromCard, in70},
	tagUNNumeric:      {4, 4, 0, 0},
	tagTrack2:         {0, 19, fromCard, in70},
	tagMagVersion:     {2, 2, 0, 0},
	tagThirdParty:     {5, 32, fromCard, inBF0C | in70},
	tagSlotManagement: {1, 1, fromCard, in77},
	0x9F70:            {0, 192, fromCard | fromTerminal, inGetData},
	0x9F71:            {0, 192, fromCard | fromTerminal, inGetData},
	0x9F72:            {0, 192, fromCard | fromTerminal, inGetData},
	0x9F73:            {0, 192, fromCard | fromTerminal, inGetData},
	0x9F74:            {0, 192, fromCard | fromTerminal, inGetData},
	0x9F75:            {0, 192, fromCard | fromTerminal, inGetData},
	0x9F76:            {0, 192, fromCard | fromTerminal, inGetData},
	0x9F77:            {0, 192, fromCard | fromTerminal, inGetData},
	0x9F78:            {0, 192, fromCard | fromTerminal, inGetData},
	0x9F79:            {0, 192, fromCard | fromTerminal, inGetData},
	tagMerchantCustom: {20, 20, fromTerminal, 0},
	tagDSSummary1:     {8, 16, fromCard, in77},
	tagMobileSupport:  {1, 1, 0, 0},
	tagDSUN:           {4, 4, fromCard, in77},
	tagPCII:           {3, 3, fromCard, in77},
	tagDSInputCard:    {8, 8, fromTerminal, 0},
	tagDSDigest:       {8, 8, 0, 0},
	tagODSInfo:        {1, 1, fromTerminal, 0},
	tagODSTerm:        {0, 160, fromTerminal, 0},

	tagDSSummary2:      {8, 16, 0, 0},
	tagDSSummary3:      {8, 16, 0, 0},
	tagBalanceBefore:   {6, 6, fromTerminal, 0},
	tagBalanceAfter:    {6, 6, fromTerminal, 0},
	tagDataNeeded:      {0, anyLength, 0, 0},
	tagCDOL1Data:       {0, 255, 0, 0},
	tagDSACType:        {1, 1, fromTerminal, 0},
	tagDSInputTerm:     {8, 8, fromTerminal, 0},
	tagODSReader:       {1, 1, fromTerminal, 0},
	tagDSStatus:        {1, 1, 0, 0},
	tagKernelID:        {1, 1, 0, 0},
	tagDSVN:            {0, anyLength, 0, 0},
	tagPostPut:         {1, 1, 0, 0},
	tagPrePut:          {1, 1, 0, 0},
	tagFirstWrite:      {1, 1, fromTerminal, 0},
	tagPDOLData:        {0, 255, 0, 0},
	tagTagsToRead:      {0, anyLength, fromTerminal, 0},
	tagDRDOLData:       {0, 255, 0, 0},
	tagReference:       {1, 1, 0, 0},
	tagError:           {6, 6, 0, 0},
	tagUIRequest:       {22, 22, 0, 0},
	tagInputCap:        {1, 1, 0, 0},
	tagCVMCap:          {1, 1, 0, 0},
	tagNoCVMCap:        {1, 1, 0, 0},
	tagDefaultUDOL:     {3, 3, 0, 0},
	tagKernelConfig:    {1, 1, 0, 0},
	tagTornLifetime:    {2, 2, 0, 0},
	tagTornMax:         {1, 1, 0, 0},
	tagMagCVMCap:       {1, 1, 0, 0},
	tagSecurityCap:     {1, 1, 0, 0},
	tagTACDefault:      {5, 5, 0, 0},
	tagTACDenial:       {5, 5, 0, 0},
	tagTACOnline:       {5, 5, 0, 0},
	tagFloorLimit:      {6, 6, 0, 0},
	tagLimitNoDevice:   {6, 6, 0, 0},
	tagLimitDevice:     {6, 6, 0, 0},
	tagCVMLimit:        {6, 6, 0, 0},
	tagTimeOut:         {2, 2, 0, 0},
	tagIDSStatus:       {1, 1, 0, 0},
	tagOutcome:         {8, 8, 0, 0},
	tagDDTrack1:        {0, 56, 0, 0},
	tagDDTrack2:        {0, 11, 0, 0},
	tagMagNoCVMCap:     {1, 1, 0, 0},
	tagMessageHold:     {3, 3, 0, 0},
	tagHoldTime:        {1, 1, 0, 0},
	tagPhoneTable:      {8, anyLength, 0, 0},
	tagMinGrace:        {2, 2, 0, 0},
	tagMaxGrace:        {2, 2, 0, 0},
	tagExpectedC:       {2, 2, 0, 0},
	tagExpectedR:       {2, 2, 0, 0},
	tagAccuracy:        {2, 2, 0, 0},
	tagMismatch:        {1, 1, 0, 0},
	tagTerminalEntropy: {4, 4, 0, 0},
	tagDeviceEntropy:   {4, 4, 0, 0},
	tagMinTime:         {2, 2, 0, 0},
	tagMaxTime:         {2, 2, 0, 0},
	tagEstimated:       {2, 2, 0, 0},
	tagMeasured:        {2, 2, 0, 0},
	tagRRPCounter:      {1, 1, 0, 0},
	tagTornRecord:      {0, anyLength, 0, 0},
	tagWriteBefore:     {0, anyLength, fromTerminal, 0},
	tagWriteAfter:      {0, anyLength, fromTerminal, 0},
	tagDataToSend:      {0, anyLength, 0, 0},
	tagDataRecord:      {0, anyLength, 0, 0},
	tagDiscretionary:   {0, anyLength, 0, 0},
}

// fits tells whether a value of n bytes may be stored. Two objects have two lengths and nothing between.
func (d definition) fits(t tlv.Tag, n int) bool {
	switch t {
	case tagIssuerExp, tagICCExp:
		return n == 1 || n == 3
	case tagDSSummary1:
		return n == 8 || n == 16
	}
	return n >= d.min && n <= d.max
}

// private tells whether a tag is of the private class (Book C-2, 4.5): objects of the reader have such tags, and what a card sends under
// one of them is passed over.
func private(t tlv.Tag) bool {
	for t > 0xFF {
		t >>= 8
	}
	return t&0xC0 == 0xC0
}
