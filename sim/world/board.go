package world

import (
	"github.com/pelletier/go-toml/v2"
)

// board is the board file: where the devices are in the run directory and what they are.
func (w *World) board() ([]byte, error) {
	keys := table{}
	for _, k := range Keys {
		keys[k.Linux] = k.Name
	}
	bpp := 32
	if w.opt.Panel.RGB565 {
		bpp = 16
	}
	return toml.Marshal(table{
		"name":    "possim",
		"reader":  table{"driver": "ccid-serial", "port": w.path("reader"), "baud": 115200, "profile": string(w.opt.Reader)},
		"pinpad":  table{"driver": "vf-packets", "port": w.path("pinpad"), "baud": 9600, "dialect": "vf", "progress": true, "master_slot": 0},
		"scanner": table{"driver": "serial", "port": w.path("scanner"), "baud": 9600, "trigger": "honeywell", "suffix": "\r"},
		"stripe":  table{"driver": "ascii-serial", "port": w.path("stripe"), "baud": 9600},
		"printer": table{
			"driver": "escpos", "port": w.path("printer"), "baud": 115200, "dots": 384, "columns": 32, "encoding": "gb18030",
			"qr": "native", "status": true, "cut": true,
		},
		"keypad":  table{"driver": "evdev", "path": w.path("keypad"), "event_size": w.keys.size, "map": keys},
		"display": table{"driver": "fb", "path": w.path("display"), "width": w.opt.Panel.Width, "height": w.opt.Panel.Height, "bpp": bpp},
	})
}
