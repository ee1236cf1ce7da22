package card

import (
	"bytes"
	"slices"
)

// fci is the answer to SELECT of an application, Book 1, table 45.
func fci(a Application, aid []byte) []byte {
	prop := put(nil, 0x50, []byte(a.Label)...)
	prop = put(prop, 0x87, priority(a))
	if a.PDOL != "" {
		prop = put(prop, 0x9F38, unhex(a.PDOL)...)
	}
	prop = put(prop, 0x5F2D, []byte("zhen")...)
	if a.Preferred != "" {
		prop = put(prop, 0x9F11, 0x01)
		prop = put(prop, 0x9F12, []byte(a.Preferred)...)
	}
	prop = put(prop, 0xBF0C, put(nil, 0x9F4D, logFile, logSize)...)
	return put(nil, 0x6F, slices.Concat(put(nil, 0x84, aid...), put(nil, 0xA5, prop...))...)
}

func priority(a Application) byte {
	p := byte(a.Priority)
	if a.Confirm {
		p |= 0x80
	}
	return p
}

// The payment system environment, Book 1, 12.2, and the directories below it.
const (
	pseName = "1PAY.SYS.DDF01"
	dirFile = 1 // SFI of every directory
)

// directoryFCI is the answer to SELECT of a directory: Book 1, tables 43 and 44.
func directoryFCI(name []byte) []byte {
	prop := put(nil, 0x88, dirFile)
	if string(name) == pseName {
		prop = put(put(prop, 0x5F2D, []byte("zhen")...), 0x9F11, 0x01)
	}
	return put(nil, 0x6F, slices.Concat(put(nil, 0x84, name...), put(nil, 0xA5, prop...))...)
}

// isDDF tells whether the card has a directory of that name below the PSE.
func (p *Profile) isDDF(name []byte) bool {
	return len(name) > 0 && slices.ContainsFunc(p.Applications, func(a Application) bool { return a.DDF != "" && bytes.Equal(unhex(a.DDF), name) })
}

// directory is the file of directory entries (Book 1, 12.2.3): of the PSE, or of the DDF of that name. A DDF has its entry in the PSE
// where the first of its applications would be.
func (p *Profile) directory(name []byte) [][]byte {
	top := string(name) == pseName
	var entries [][]byte
	var named [][]byte
	for _, a := range p.Applications {
		ddf := unhex(a.DDF)
		switch {
		case a.Hidden, !top && !bytes.Equal(ddf, name):
			continue
		case top && a.DDF != "":
			if !slices.ContainsFunc(named, func(n []byte) bool { return bytes.Equal(n, ddf) }) {
				named = append(named, ddf)
				entries = append(entries, put(nil, 0x61, put(nil, 0x9D, ddf...)...))
			}
			continue
		}
		e := slices.Concat(put(nil, 0x4F, unhex(a.AID)...), put(nil, 0x50, []byte(a.Label)...), put(nil, 0x87, priority(a)))
		if a.Preferred != "" {
			e = put(e, 0x9F12, []byte(a.Preferred)...)
		}
		entries = append(entries, put(nil, 0x61, e...))
	}
	var out [][]byte
	for group := range slices.Chunk(entries, max(p.PerRecord, 1)) {
		out = append(out, record(group...))
	}
	if top && p.PSEBroken {
		out = append(out, []byte{0x70, 0x7F, 0x61})
	}
	return out
}
