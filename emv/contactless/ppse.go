package contactless

import (
	"bytes"

	"posd/emv/tlv"
)

// ppseName is the name of the Proximity Payment System Environment (Book B, 3.3.2.2).
const ppseName = "2PAY.SYS.DDF01"

// Data objects of the selection (Book B, 3.3; Book 1, 11.3.4).
const (
	tagADFName       tlv.Tag = 0x4F
	tagLabel         tlv.Tag = 0x50
	tagEntry         tlv.Tag = 0x61
	tagFCI           tlv.Tag = 0x6F
	tagDFName        tlv.Tag = 0x84
	tagPriority      tlv.Tag = 0x87
	tagFCIProp       tlv.Tag = 0xA5
	tagDiscretionary tlv.Tag = 0xBF0C
	tagCodeTable     tlv.Tag = 0x9F11
	tagPreferredName tlv.Tag = 0x9F12
	tagExtended      tlv.Tag = 0x9F29
	tagKernelID      tlv.Tag = 0x9F2A
	tagPDOL          tlv.Tag = 0x9F38
	tagTTQ           tlv.Tag = 0x9F66
)

// Bounds of what a PPSE may say. An FCI has 256 bytes at most, so that more entries than these cannot be in one.
const (
	minADFName    = 5
	maxADFName    = 16
	maxKernelID   = 8
	maxEntries    = 64
	maxCandidates = 256
)

// directoryEntry is one application of the card's (Book B, table 3-3). Slices are of the FCI.
type directoryEntry struct {
	adf      []byte // 4F
	label    []byte // 50
	priority byte   // 87, low nibble; 0 is none
	kernelID []byte // 9F2A
	extended []byte // 9F29
	order    int    // place in the PPSE
}

// parsePPSE reads the directory entries of the PPSE's FCI: 6F / A5 / BF0C / 61. Only an entry that stands directly in BF0C counts; one
// inside another template is somebody else's. An entry that is malformed, or whose name is none (Book 1, 12.2.1), is passed over; an FCI
// that is malformed has no entries.
func parsePPSE(fci []byte) []directoryEntry {
	o, err := tlv.One(fci)
	if err != nil || o.Tag != tagFCI {
		return nil
	}
	disc, ok := tlv.Find(o.Value, tagFCIProp, tagDiscretionary)
	if !ok {
		return nil
	}
	out := make([]directoryEntry, 0, 4)
	d := tlv.NewDecoder(disc)
	for n := 0; ; n++ {
		e, ok := d.Next()
		if !ok || n == maxEntries {
			break
		}
		if e.Tag != tagEntry {
			continue
		}
		if entry, ok := parseEntry(e.Value); ok {
			entry.order = n
			out = append(out, entry)
		}
	}
	if d.Err() != nil {
		return nil
	}
	return out
}

func parseEntry(b []byte) (directoryEntry, bool) {
	var e directoryEntry
	d := tlv.NewDecoder(b)
	for o, ok := d.Next(); ok; o, ok = d.Next() {
		switch o.Tag {
		case tagADFName:
			e.adf = o.Value
		case tagLabel:
			e.label = o.Value
		case tagPriority:
			if len(o.Value) == 1 {
				e.priority = o.Value[0] & 0x0F
			}
		case tagKernelID:
			e.kernelID = o.Value
		case tagExtended:
			e.extended = o.Value
		}
	}
	return e, d.Err() == nil && len(e.adf) >= minADFName && len(e.adf) <= maxADFName
}

// DefaultKernel says which kernel an application asks for that does not name one (Book B, table 3-6).
type DefaultKernel struct {
	RID    [5]byte
	Kernel KernelID
}

// DefaultKernels is the table of Book B, 3-6: two sources agree but for Discover's older RID, which one leaves out. Any other RID asks for
// none in particular. A configuration may have a table of its own.
func DefaultKernels() []DefaultKernel {
	return []DefaultKernel{
		{[5]byte{0xA0, 0x00, 0x00, 0x00, 0x03}, 3}, // Visa
		{[5]byte{0xA0, 0x00, 0x00, 0x00, 0x04}, 2}, // Mastercard
		{[5]byte{0xA0, 0x00, 0x00, 0x00, 0x25}, 4}, // American Express
		{[5]byte{0xA0, 0x00, 0x00, 0x00, 0x65}, 5}, // JCB
		{[5]byte{0xA0, 0x00, 0x00, 0x01, 0x52}, 6}, // Discover
		{[5]byte{0xA0, 0x00, 0x00, 0x03, 0x24}, 6}, // Discover
		{[5]byte{0xA0, 0x00, 0x00, 0x03, 0x33}, 7}, // UnionPay
	}
}

// requestedKernel is the kernel that a directory entry asks for, 0 for any; false when the entry is to be passed over (Book B, 3.3.2.5 C).
// aid is the reader's, that the entry's name matches.
func requestedKernel(id, aid []byte, defaults []DefaultKernel) (KernelID, bool) {
	switch {
	case len(id) == 0: // absent or empty
		for _, d := range defaults {
			if bytes.HasPrefix(aid, d.RID[:]) {
				return d.Kernel, true
			}
		}
		return 0, true
	case len(id) > maxKernelID:
		return 0, false // the object has at most 8 bytes; sources differ on whether such an entry counts
	case id[0]&0x80 == 0:
		// b8 b7 00 (international) or 01 (reserved): byte 1 alone, however long the object is. Issued cards send 0200000000000000.
		return KernelID(id[0]), true
	case len(id) < 3:
		return 0, false
	case id[0]&0x3F == 0:
		// A domestic identifier without a short one is outside Book B; no kernel here has such a number.
		return 0, false
	}
	return KernelID(id[0])<<16 | KernelID(id[1])<<8 | KernelID(id[2]), true
}

// candidate is one entry of the Candidate List (Book B, 3.3.2.5 E).
type candidate struct {
	directoryEntry
	reader *reader
}

// candidates puts each combination that is allowed together with each directory entry that matches it (Book B, 3.3.2.5). One entry can be
// several candidates: by two AIDs of which one begins with the other, or by two kernels.
func candidates(readers []reader, entries []directoryEntry, defaults []DefaultKernel) []candidate {
	var list []candidate
	for i := range readers {
		r := &readers[i]
		if r.ind.NotAllowed {
			continue
		}
		for _, e := range entries {
			if !bytes.HasPrefix(e.adf, r.AID) || len(list) == maxCandidates {
				continue
			}
			k, ok := requestedKernel(e.kernelID, r.AID, defaults)
			if !ok || k != 0 && k != r.Kernel {
				continue
			}
			list = append(list, candidate{e, r})
		}
	}
	return list
}

// best is the index of the candidate to select (Book B, 3.3.3.1 and 3.3.3.2): the highest priority, 1; none or 0 is the lowest of all. Among
// equals the one that stands first in the PPSE, then the one whose combination stands first in the configuration.
func best(list []candidate) int {
	rank := func(c *candidate) int {
		if c.priority == 0 {
			return 16
		}
		return int(c.priority)
	}
	b := 0
	for i := 1; i < len(list); i++ {
		if p, q := rank(&list[i]), rank(&list[b]); p < q || p == q && list[i].order < list[b].order {
			b = i
		}
	}
	return b
}

// selectName is the name that SELECT asks for (Book B, 3.3.3.3): the ADF name, with the Extended Selection behind it where the card has it,
// the combination supports it and a name can be that long.
func (c *candidate) selectName(dst []byte) []byte {
	dst = append(dst, c.adf...)
	if c.reader.Extended && len(c.adf)+len(c.extended) <= maxADFName {
		dst = append(dst, c.extended...)
	}
	return dst
}

// usableFCI tells whether an application's FCI lets the kernel begin (Book B, 3.3.3.5 and 3.3.3.6): it is one, it is that of an application the
// combination is for, and its PDOL asks for the TTQ where that is demanded.
func usableFCI(fci []byte, c *Combination) bool {
	o, err := tlv.One(fci)
	if err != nil || o.Tag != tagFCI {
		return false
	}
	// A missing DF name is the kernel's affair: kernel 2 has a rule of its own for it.
	if name, ok := tlv.Find(o.Value, tagDFName); ok && !bytes.HasPrefix(name, c.AID) {
		return false
	}
	if !c.NeedTTQ {
		return true
	}
	pdol, ok := tlv.Find(o.Value, tagFCIProp, tagPDOL)
	if !ok {
		return false
	}
	dol, err := tlv.ParseDOL(pdol)
	return err == nil && dol.Has(tagTTQ)
}
