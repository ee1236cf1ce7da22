package emv

// Candidate is an application that card and terminal have in common (Book 1, 12.3).
type Candidate struct {
	AID      []byte
	Label    string // name to show: 9F12 in a code table the terminal has, else 50, else the AID in hex
	Priority byte   // 87: low nibble 1 (first) to 15, 0 none; bit 8 asks for the cardholder's confirmation
}
