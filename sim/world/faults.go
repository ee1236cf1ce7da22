package world

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"posd/sim/acquirer"
)

// Fault is a fault switch.
type Fault struct {
	ID     string `json:"id"` // "acquirer.down"
	Device string `json:"device"`
	Name   Words  `json:"name"`
	Once   bool   `json:"once"` // happens once and is over
	set    func(on bool) error
}

// once are the faults that switch themselves off.
var once = []string{
	"reader.nak", "reader.bad-lrc-once", "reader.tear-next", "reader.tear-answering", "reader.swap-next", "reader.t1-lrc-once",
}

// faults lists every fault switch: what each host and device offers, and the cable of each device.
func (h *hardware) faults() []Fault {
	var out []Fault
	add := func(device, name string, set func(bool) error) {
		f := Fault{ID: device + "." + name, Device: device, set: set}
		f.Name = Words{strings.ReplaceAll(name, "-", " "), strings.ReplaceAll(name, "-", " ")}
		for _, key := range []string{name, f.ID} {
			if w, ok := faultNames[key]; ok {
				f.Name = w
			}
		}
		f.Once = slices.Contains(once, f.ID)
		out = append(out, f)
	}
	type switches interface {
		Faults() []string
		SetFault(name string, on bool) error
	}
	of := func(device string, s switches) {
		for _, name := range s.Faults() {
			add(device, name, func(on bool) error {
				if err := s.SetFault(name, on); err != nil {
					return fmt.Errorf("%s: %w", device, err)
				}
				return nil
			})
		}
	}
	of("acquirer", h.host)
	of("alipay", h.gateway)
	for _, l := range h.lines {
		add(l.name, "unplugged", l.pull)
		of(l.name, l.dev)
	}
	return out
}

// hostFaults adds the faults of the acquirer, which may end by themselves, to those that the world remembers.
func (h *hardware) hostFaults(ids []string) []string {
	for _, f := range h.host.ActiveFaults() {
		id := "acquirer." + f.Name
		if f.MTI != "" {
			id += ":" + f.MTI
		}
		ids = append(ids, id)
	}
	return ids
}

// SetFault switches a fault on or off, or on for one time. id is a Fault's, perhaps with the messages behind a colon to which it is
// narrowed: a message type for the acquirer (0200, 0400), a method for the wallet (pay, precreate, query, cancel, all).
func (w *World) SetFault(id, how string) error {
	if how != "on" && how != "off" && how != "once" {
		return unknown("position of a switch", how, []string{"on", "off", "once"})
	}
	all := w.hw.faults()
	base, where, narrowed := strings.Cut(id, ":")
	i := slices.IndexFunc(all, func(f Fault) bool { return f.ID == base })
	if i < 0 {
		ids := map[string]bool{}
		for _, f := range all {
			ids[f.ID] = true
		}
		return unknown("fault", id, slices.Sorted(maps.Keys(ids)))
	}
	f := all[i]
	name := strings.TrimPrefix(f.ID, f.Device+".")
	if how == "once" && f.Device != "acquirer" && !f.Once {
		return fmt.Errorf("%s cannot happen just once: switch it on and off", f.ID)
	}
	var err error
	switch {
	case f.Device == "acquirer" && how != "off":
		err = w.faultAtAcquirer(name, where, how == "once")
	case f.Device == "alipay" && narrowed:
		err = w.hw.gateway.SetFault(name+":"+where, how == "on")
	case narrowed && f.Device != "acquirer":
		err = errors.New("only faults of acquirer and alipay can be narrowed to a message")
	default:
		err = f.set(how != "off")
	}
	if err != nil {
		return err
	}
	w.set(func() {
		switch {
		case f.Device == "acquirer" || f.Once:
		case how == "on":
			w.faults[id] = true
		default:
			delete(w.faults, id)
		}
	})
	w.note("fault " + id + " " + how)
	return nil
}

func (w *World) faultAtAcquirer(name, mti string, justOnce bool) error {
	f := acquirer.Fault{Name: name, MTI: mti}
	if mti != "" && (len(mti) != 4 || strings.Trim(mti, "0123456789") != "") {
		return unknown("message type", mti, []string{"0200", "0400", "0800", "0820"})
	}
	if justOnce {
		f.Times = 1
	}
	return w.hw.host.Inject(f)
}

// faultNames are the words for the faults; one without shows its own name.
var faultNames = map[string]Words{
	"unplugged": {"拔掉数据线", "cable pulled"},
	"dead":      {"无响应", "dead"},
	"garbage":   {"线路噪声", "noise on the line"},

	"acquirer.down": {"主机宕机", "host down"}, "acquirer.tls-refused": {"证书被拒", "TLS refused"},
	"acquirer.close-before": {"收到即断线", "hangs up at once"}, "acquirer.reply-lost": {"应答丢失", "reply lost"},
	"acquirer.reply-late": {"应答迟到", "reply late"}, "acquirer.half-reply": {"应答半截", "half a reply"},
	"acquirer.slow-bytes": {"应答极慢", "slow bytes"}, "acquirer.wrong-mac": {"MAC 错误", "wrong MAC"},
	"acquirer.wrong-stan": {"流水号不符", "wrong trace no."}, "acquirer.wrong-amount": {"金额不符", "wrong amount"},
	"acquirer.foreign-reply": {"他机应答", "reply for another"}, "acquirer.duplicate-reply": {"重复应答", "reply twice"},
	"acquirer.garbage": {"应答乱码", "garbage reply"}, "acquirer.bad-length": {"长度为零", "empty reply"},
	"acquirer.decline-05": {"拒绝 05", "declines, 05"}, "acquirer.unresolved-68": {"主机超时 68", "host timed out, 68"},
	"acquirer.refer-01": {"联系发卡行 01", "call issuer, 01"}, "acquirer.script-71": {"下发脚本 71", "script 71"},
	"acquirer.script-72": {"下发脚本 72", "script 72"},

	"alipay.down": {"网关宕机", "gateway down"}, "alipay.reply-lost": {"应答丢失", "reply lost"}, "alipay.reply-late": {"应答迟到", "reply late"},
	"alipay.request-lost": {"请求丢失", "request lost"}, "alipay.bad-signature": {"签名错误", "bad signature"},
	"alipay.unsigned": {"无签名", "unsigned"}, "alipay.error-unsigned": {"无签名报错", "unsigned error"},
	"alipay.html-200": {"返回网页", "answers a web page"}, "alipay.wrong-amount": {"金额不符", "wrong amount"},
	"alipay.wrong-order": {"订单号不符", "wrong order"}, "alipay.unknown-status": {"未知状态", "unknown status"},
	"alipay.system-error": {"系统错误", "system error"}, "alipay.slow-body": {"应答极慢", "slow body"}, "alipay.redirect": {"重定向", "redirects"},
	"alipay.huge-body": {"超大应答", "huge body"}, "alipay.duplicate-keys": {"重复字段", "keys twice"},
	"alipay.query-down": {"查询无应答", "query not answered"}, "alipay.cancel-down": {"撤销无应答", "cancel not answered"},
	"alipay.cancel-lost": {"撤销应答丢失", "cancel reply lost"}, "alipay.cancel-retry": {"撤销需重试", "cancel: retry once"},
	"alipay.cancel-retry-always": {"撤销总需重试", "cancel: always retry"},

	"reader.card-mute": {"卡片无应答", "card is mute"}, "reader.bad-lrc": {"校验和错误", "wrong checksums"}, "reader.reader-dead": {"读卡器无响应", "reader dead"},
	"reader.slow-card": {"卡片极慢", "slow card"}, "reader.nak": {"否认一次", "asks again once"}, "reader.bad-lrc-once": {"校验和错一次", "one wrong checksum"},
	"reader.tear-next": {"下一指令前拔卡", "card torn: next"}, "reader.tear-answering": {"应答时拔卡", "card torn: answering"},
	"reader.bad-atr": {"复位应答错误", "chip answers badly"}, "reader.bad-tck": {"复位校验错", "ATR: wrong TCK"}, "reader.atr-33": {"复位应答 33 字节", "ATR: 33 bytes"},
	"reader.swap-next": {"下一指令前换卡", "card swapped: next"}, "reader.keypad-broken": {"读卡器键盘坏", "keypad broken"},
	"reader.no-abort": {"输密不可中止", "PIN entry: no abort"}, "reader.t0-61-loop": {"T=0 不停 61xx", "T=0: 61 for ever"},
	"reader.t0-6c-loop": {"T=0 不停 6Cxx", "T=0: 6C for ever"}, "reader.t1-bad-lrc": {"T=1 校验和错误", "T=1: wrong LRC"},
	"reader.t1-lrc-once": {"T=1 校验和错一次", "T=1: one wrong LRC"}, "reader.t1-r-storm": {"T=1 不停 R 块", "T=1: R-blocks"},
	"reader.t1-wtx": {"T=1 不停要时间", "T=1: more time"}, "reader.t1-ifs-0": {"T=1 块长 0", "T=1: IFS 0"}, "reader.t1-ifs-ff": {"T=1 块长 255", "T=1: IFS 255"},
	"reader.t1-abort": {"T=1 中止", "T=1: abort"},

	"pinpad.lrc": {"校验和错误", "wrong checksums"}, "pinpad.no-ack": {"不确认", "no ACK"}, "pinpad.eot": {"总答 EOT", "pad gives up"},
	"pinpad.mute": {"确认后不答", "ACK, no answer"}, "pinpad.slow": {"应答慢", "slow"}, "pinpad.throttled": {"限制输密", "PIN entry throttled"},
	"pinpad.no-key": {"无密钥", "no keys"}, "pinpad.tampered": {"被拆机", "tampered"},

	"scanner.mute": {"不读码", "reads nothing"}, "scanner.no-suffix": {"无结束符", "no suffix"},

	"stripe.half": {"刷卡中断", "half a swipe"}, "stripe.no-track-2": {"二磁道读不出", "no track 2"}, "stripe.double": {"来回刷两次", "swiped to and fro"},
	"stripe.no-suffix": {"无结束符", "no suffix"}, "stripe.wrong-digit": {"误读一位", "misreads a digit"},

	"printer.paper-out": {"缺纸", "paper out"}, "printer.paper-out-mid": {"打印中缺纸", "paper ends midway"}, "printer.paper-low": {"纸将尽", "paper low"},
	"printer.cover-open": {"纸仓盖打开", "cover open"}, "printer.overheat": {"打印头过热", "head too hot"}, "printer.stuck": {"不接收数据", "takes no bytes"},
	"printer.garbage-status": {"状态乱码", "garbage status"}, "printer.unsolicited-status": {"主动上报状态", "unasked status"},
	"printer.no-gs-r": {"不支持 GS r", "no status in order"}, "printer.no-dle-eot": {"不支持 DLE EOT", "no DLE EOT"},
	"printer.no-native-qr": {"不支持二维码指令", "no QR command"}, "printer.gbk-rom": {"仅 GBK 字库", "GBK ROM only"},
	"printer.overrun": {"缓冲区 64 字节", "64-byte buffer"},
}
