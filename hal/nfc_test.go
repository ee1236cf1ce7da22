package hal_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"posd/hal"
)

// TestNFCSection: what is taken when nothing is said, and what does not belong to the chip's line.
func TestNFCSection(t *testing.T) {
	for _, c := range []struct {
		name, section string
		want          hal.NFC
		wrong         string // part of the error
	}{
		{"serial line", `driver = "pn532-hsu"`, hal.NFC{Driver: "pn532-hsu", Port: "/dev/n", Baud: 115200}, ""},
		{"fast serial line", "driver = \"pn532-hsu\"\nbaud = 921600", hal.NFC{Driver: "pn532-hsu", Port: "/dev/n", Baud: 921600}, ""},
		{"SPI", `driver = "pn532-spi"`, hal.NFC{Driver: "pn532-spi", Port: "/dev/n", Clock: 1_000_000}, ""},
		{"SPI with interrupt", "driver = \"pn532-spi\"\nclock = 5000000\nirq = \"GPIO25\"", hal.NFC{Driver: "pn532-spi", Port: "/dev/n", Clock: 5_000_000, IRQ: "GPIO25"}, ""},
		{"I2C", `driver = "pn532-i2c"`, hal.NFC{Driver: "pn532-i2c", Port: "/dev/n", Clock: 400_000}, ""},
		{"no driver", "", hal.NFC{}, `nfc.driver: "" is not one of pn532-hsu, pn532-spi, pn532-i2c`},
		{"other chip", `driver = "mfrc522"`, hal.NFC{}, `nfc.driver: "mfrc522"`},
		{"speed that the chip has not", "driver = \"pn532-hsu\"\nbaud = 500000", hal.NFC{}, "nfc.baud: 500000 is not one of"},
		{"clock of a serial line", "driver = \"pn532-hsu\"\nclock = 1", hal.NFC{}, "nfc.clock: is for SPI and I2C"},
		{"interrupt of a serial line", "driver = \"pn532-hsu\"\nirq = \"GPIO25\"", hal.NFC{}, "nfc.irq: is for SPI and I2C"},
		{"speed of SPI", "driver = \"pn532-spi\"\nbaud = 115200", hal.NFC{}, "nfc.baud: is for a serial line"},
		{"SPI too fast", "driver = \"pn532-spi\"\nclock = 5000001", hal.NFC{}, "nfc.clock: 5000001 is not within 10000 to 5000000"},
		{"I2C too fast", "driver = \"pn532-i2c\"\nclock = 1000000", hal.NFC{}, "nfc.clock: 1000000 is not within 10000 to 400000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := hal.ParseBoard("b.toml", []byte(minimal+"[nfc]\nport = \"/dev/n\"\n"+c.section+"\n"))
			switch {
			case c.wrong != "":
				if err == nil || !strings.Contains(err.Error(), c.wrong) || strings.Count(err.Error(), "\n") > 0 {
					t.Errorf("%v, want %s", err, c.wrong)
				}
			case err != nil:
				t.Error(err)
			default:
				if d := cmp.Diff(&c.want, b.NFC); d != "" {
					t.Error(d)
				}
			}
		})
	}
	if _, err := hal.ParseBoard("b.toml", []byte(minimal+"[nfc]\ndriver = \"pn532-hsu\"\n")); err == nil || !strings.Contains(err.Error(), "nfc.port: is missing") {
		t.Error(err)
	}
}
