package pinpad

import (
	"encoding/hex"
	"fmt"
	"strings"

	"posd/sim"
	"posd/vault"
)

// macSession is a MAC over several packets.
type macSession struct {
	seq  int
	head string // slot, key and second slot, which must not change
	data []byte
}

// maxMACText is the data of one Z66 in characters.
const maxMACText = 224

// macPacket is Z66: flag, sequence number, slot FS key FS [second slot] FS data.
func (p *Pad) macPacket(data string) {
	s := p.mac
	p.mac = nil // unless this packet goes on
	fail := func(code byte) {
		p.trace(">", "Z66 MAC")
		p.answer(false, "Z67"+string(rune(code)), "Z67 refused with code "+string(rune(code)), nil)
	}
	if len(data) < 5 {
		fail('5')
		return
	}
	flag, seqText, head := data[0], data[1:3], data[3:]
	if flag < '4' || flag > '7' {
		fail('6')
		return
	}
	f := strings.SplitN(head, string(rune(fs)), 4)
	if len(f) != 4 || len(f[0]) != 1 || len(f[2]) > 1 || len(f[3]) > maxMACText || f[3] == "" {
		fail('5')
		return
	}
	if s == nil {
		s = &macSession{head: f[0] + f[1] + f[2]}
	}
	if seqText != fmt.Sprintf("%02d", s.seq) || s.head != f[0]+f[1]+f[2] {
		fail('2')
		return
	}
	part := []byte(f[3])
	if flag >= '6' {
		var err error
		if part, err = hex.DecodeString(f[3]); err != nil {
			fail('7')
			return
		}
	}
	more := flag == '5' || flag == '7'
	if more && len(part)%8 != 0 {
		fail('5')
		return
	}
	key, problem := p.macKey(f[0][0], f[1], f[2])
	defer clear(key)
	if code := map[keyProblem]byte{keyMissing: '3', keySlot: '3', keyFormat: '8', keyPurpose: '8', keyTooLong: '9'}[problem]; code != 0 {
		fail(code)
		return
	}
	s.data = append(s.data, part...)
	p.trace(">", "Z66 MAC", sim.Field{Name: "packet", Value: seqText}, sim.Field{Name: "bytes", Value: fmt.Sprint(len(part))})
	if more {
		if s.seq++; s.seq > 99 {
			fail('2')
			return
		}
		p.mac = s
		p.answer(false, "Z671", "Z67 next", nil)
		return
	}
	p.idle()
	mac, err := vault.PadMAC(key, s.data)
	if err != nil {
		fail('8')
		return
	}
	p.answer(false, fmt.Sprintf("Z670%X", mac), "Z67 MAC", nil)
}
