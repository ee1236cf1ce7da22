package tlv

import (
	"cmp"
	"slices"
)

// Format is the coding of a data element (Book 3, 4.3), as far as data object lists care.
type Format uint8

// Formats.
const (
	FormatB   Format = iota // binary, also for objects that are not known
	FormatN                 // digits, right-justified, padded with zeros
	FormatCN                // digits, left-justified, padded with F
	FormatA                 // letters
	FormatAN                // letters and digits
	FormatANS               // printable characters
	FormatVar               // a list, or a template
)

type info struct {
	tag    Tag
	format Format
	name   string
}

// Name is the English name of a data object, "" when it is not known. Names are those of Book 3, Annex A, then those that payment
// systems and acquirers of the UnionPay family have added for contact transactions.
func Name(t Tag) string {
	if i := find(t); i != nil {
		return i.name
	}
	return ""
}

// FormatOf is the format of a data object; FormatB when it is not known.
func FormatOf(t Tag) Format {
	if i := find(t); i != nil {
		return i.format
	}
	return FormatB
}

func find(t Tag) *info {
	i, ok := slices.BinarySearchFunc(objects, t, func(i info, t Tag) int { return cmp.Compare(i.tag, t) })
	if !ok {
		return nil
	}
	return &objects[i]
}

// objects is sorted by tag; a test keeps it so.
var objects = []info{
	{0x41, FormatVar, "Country Code and National Data"},
	{0x42, FormatN, "Issuer Identification Number (IIN)"},
	{0x4F, FormatB, "Application Dedicated File (ADF) Name"},
	{0x50, FormatANS, "Application Label"},
	{0x57, FormatB, "Track 2 Equivalent Data"},
	{0x5A, FormatCN, "Application Primary Account Number (PAN)"},
	{0x61, FormatVar, "Application Template"},
	{0x6F, FormatVar, "File Control Information (FCI) Template"},
	{0x70, FormatVar, "READ RECORD Response Message Template"},
	{0x71, FormatVar, "Issuer Script Template 1"},
	{0x72, FormatVar, "Issuer Script Template 2"},
	{0x73, FormatVar, "Directory Discretionary Template"},
	{0x77, FormatVar, "Response Message Template Format 2"},
	{0x80, FormatVar, "Response Message Template Format 1"},
	{0x81, FormatB, "Amount, Authorised (Binary)"},
	{0x82, FormatB, "Application Interchange Profile"},
	{0x83, FormatB, "Command Template"},
	{0x84, FormatB, "Dedicated File (DF) Name"},
	{0x86, FormatB, "Issuer Script Command"},
	{0x87, FormatB, "Application Priority Indicator"},
	{0x88, FormatB, "Short File Identifier (SFI)"},
	{0x89, FormatB, "Authorisation Code"},
	{0x8A, FormatAN, "Authorisation Response Code"},
	{0x8C, FormatVar, "Card Risk Management Data Object List 1 (CDOL1)"},
	{0x8D, FormatVar, "Card Risk Management Data Object List 2 (CDOL2)"},
	{0x8E, FormatB, "Cardholder Verification Method (CVM) List"},
	{0x8F, FormatB, "Certification Authority Public Key Index"},
	{0x90, FormatB, "Issuer Public Key Certificate"},
	{0x91, FormatB, "Issuer Authentication Data"},
	{0x92, FormatB, "Issuer Public Key Remainder"},
	{0x93, FormatB, "Signed Static Application Data"},
	{0x94, FormatVar, "Application File Locator (AFL)"},
	{0x95, FormatB, "Terminal Verification Results"},
	{0x97, FormatVar, "Transaction Certificate Data Object List (TDOL)"},
	{0x98, FormatB, "Transaction Certificate (TC) Hash Value"},
	{0x99, FormatB, "Transaction Personal Identification Number (PIN) Data"},
	{0x9A, FormatN, "Transaction Date"},
	{0x9B, FormatB, "Transaction Status Information"},
	{0x9C, FormatN, "Transaction Type"},
	{0x9D, FormatB, "Directory Definition File (DDF) Name"},
	{0xA5, FormatVar, "File Control Information (FCI) Proprietary Template"},
	{0x5F20, FormatANS, "Cardholder Name"},
	{0x5F24, FormatN, "Application Expiration Date"},
	{0x5F25, FormatN, "Application Effective Date"},
	{0x5F28, FormatN, "Issuer Country Code"},
	{0x5F2A, FormatN, "Transaction Currency Code"},
	{0x5F2D, FormatAN, "Language Preference"},
	{0x5F30, FormatN, "Service Code"},
	{0x5F34, FormatN, "Application Primary Account Number (PAN) Sequence Number"},
	{0x5F36, FormatN, "Transaction Currency Exponent"},
	{0x5F50, FormatANS, "Issuer URL"},
	{0x5F53, FormatVar, "International Bank Account Number (IBAN)"},
	{0x5F54, FormatVar, "Bank Identifier Code (BIC)"},
	{0x5F55, FormatA, "Issuer Country Code (alpha2 format)"},
	{0x5F56, FormatA, "Issuer Country Code (alpha3 format)"},
	{0x5F57, FormatN, "Account Type"},
	{0x9F01, FormatN, "Acquirer Identifier"},
	{0x9F02, FormatN, "Amount, Authorised (Numeric)"},
	{0x9F03, FormatN, "Amount, Other (Numeric)"},
	{0x9F04, FormatB, "Amount, Other (Binary)"},
	{0x9F05, FormatB, "Application Discretionary Data"},
	{0x9F06, FormatB, "Application Identifier (AID) - terminal"},
	{0x9F07, FormatB, "Application Usage Control"},
	{0x9F08, FormatB, "Application Version Number - card"},
	{0x9F09, FormatB, "Application Version Number - terminal"},
	{0x9F0A, FormatVar, "Application Selection Registered Proprietary Data"},
	{0x9F0B, FormatANS, "Cardholder Name Extended"},
	{0x9F0C, FormatN, "Issuer Identification Number Extended (IINE)"},
	{0x9F0D, FormatB, "Issuer Action Code - Default"},
	{0x9F0E, FormatB, "Issuer Action Code - Denial"},
	{0x9F0F, FormatB, "Issuer Action Code - Online"},
	{0x9F10, FormatB, "Issuer Application Data"},
	{0x9F11, FormatN, "Issuer Code Table Index"},
	{0x9F12, FormatANS, "Application Preferred Name"},
	{0x9F13, FormatB, "Last Online Application Transaction Counter (ATC) Register"},
	{0x9F14, FormatB, "Lower Consecutive Offline Limit"},
	{0x9F15, FormatN, "Merchant Category Code"},
	{0x9F16, FormatANS, "Merchant Identifier"},
	{0x9F17, FormatB, "Personal Identification Number (PIN) Try Counter"},
	{0x9F18, FormatB, "Issuer Script Identifier"},
	{0x9F19, FormatN, "Token Requestor ID"},
	{0x9F1A, FormatN, "Terminal Country Code"},
	{0x9F1B, FormatB, "Terminal Floor Limit"},
	{0x9F1C, FormatAN, "Terminal Identification"},
	{0x9F1D, FormatB, "Terminal Risk Management Data"},
	{0x9F1E, FormatAN, "Interface Device (IFD) Serial Number"},
	{0x9F1F, FormatANS, "Track 1 Discretionary Data"},
	{0x9F20, FormatCN, "Track 2 Discretionary Data"},
	{0x9F21, FormatN, "Transaction Time"},
	{0x9F22, FormatB, "Certification Authority Public Key Index - terminal"},
	{0x9F23, FormatB, "Upper Consecutive Offline Limit"},
	{0x9F24, FormatAN, "Payment Account Reference (PAR)"},
	{0x9F25, FormatN, "Last 4 Digits of PAN"},
	{0x9F26, FormatB, "Application Cryptogram"},
	{0x9F27, FormatB, "Cryptogram Information Data"},
	{0x9F2D, FormatB, "ICC PIN Encipherment Public Key Certificate"},
	{0x9F2E, FormatB, "ICC PIN Encipherment Public Key Exponent"},
	{0x9F2F, FormatB, "ICC PIN Encipherment Public Key Remainder"},
	{0x9F30, FormatB, "Biometric Terminal Capabilities"},
	{0x9F32, FormatB, "Issuer Public Key Exponent"},
	{0x9F33, FormatB, "Terminal Capabilities"},
	{0x9F34, FormatB, "Cardholder Verification Method (CVM) Results"},
	{0x9F35, FormatN, "Terminal Type"},
	{0x9F36, FormatB, "Application Transaction Counter (ATC)"},
	{0x9F37, FormatB, "Unpredictable Number"},
	{0x9F38, FormatVar, "Processing Options Data Object List (PDOL)"},
	{0x9F39, FormatN, "Point-of-Service (POS) Entry Mode"},
	{0x9F3A, FormatB, "Amount, Reference Currency"},
	{0x9F3B, FormatN, "Application Reference Currency"},
	{0x9F3C, FormatN, "Transaction Reference Currency Code"},
	{0x9F3D, FormatN, "Transaction Reference Currency Exponent"},
	{0x9F40, FormatB, "Additional Terminal Capabilities"},
	{0x9F41, FormatN, "Transaction Sequence Counter"},
	{0x9F42, FormatN, "Application Currency Code"},
	{0x9F43, FormatN, "Application Reference Currency Exponent"},
	{0x9F44, FormatN, "Application Currency Exponent"},
	{0x9F45, FormatB, "Data Authentication Code"},
	{0x9F46, FormatB, "ICC Public Key Certificate"},
	{0x9F47, FormatB, "ICC Public Key Exponent"},
	{0x9F48, FormatB, "ICC Public Key Remainder"},
	{0x9F49, FormatVar, "Dynamic Data Authentication Data Object List (DDOL)"},
	{0x9F4A, FormatVar, "Static Data Authentication Tag List"},
	{0x9F4B, FormatB, "Signed Dynamic Application Data"},
	{0x9F4C, FormatB, "ICC Dynamic Number"},
	{0x9F4D, FormatB, "Log Entry"},
	{0x9F4E, FormatANS, "Merchant Name and Location"},
	{0x9F4F, FormatVar, "Log Format"},
	{0x9F51, FormatN, "Application Currency Code (payment system)"},
	{0x9F52, FormatB, "Application Default Action"},
	{0x9F53, FormatB, "Transaction Category Code / Consecutive Transaction Limit"},
	{0x9F5A, FormatB, "Application Program Identifier"},
	{0x9F5B, FormatB, "Issuer Script Results"},
	{0x9F5D, FormatN, "Available Offline Spending Amount"},
	{0x9F63, FormatB, "Card Product Identification"},
	{0x9F66, FormatB, "Terminal Transaction Qualifiers (TTQ)"},
	{0x9F69, FormatVar, "Card Authentication Related Data"},
	{0x9F6C, FormatB, "Card Transaction Qualifiers (CTQ)"},
	{0x9F6D, FormatN, "Electronic Cash Reset Threshold"},
	{0x9F6E, FormatB, "Form Factor Indicator"},
	{0x9F74, FormatAN, "Electronic Cash Issuer Authorisation Code"},
	{0x9F77, FormatN, "Electronic Cash Balance Limit"},
	{0x9F78, FormatN, "Electronic Cash Single Transaction Limit"},
	{0x9F79, FormatN, "Electronic Cash Balance"},
	{0x9F7A, FormatN, "Electronic Cash Terminal Support Indicator"},
	{0x9F7B, FormatN, "Electronic Cash Terminal Transaction Limit"},
	{0x9F7C, FormatB, "Customer Exclusive Data"},
	{0xBF0C, FormatVar, "File Control Information (FCI) Issuer Discretionary Data"},
	{0xDF31, FormatB, "Issuer Script Results (UnionPay)"},
}
