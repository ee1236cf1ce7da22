package hal_test

import (
	"strings"
	"testing"

	"posd/hal"
)

func TestStripeSection(t *testing.T) {
	b, err := hal.ParseBoard("b.toml", []byte(minimal+"[stripe]\ndriver=\"ascii-serial\"\nport=\"/dev/ttyS3\"\nlrc=true\n"))
	if err != nil || *b.Stripe != (hal.Stripe{Driver: "ascii-serial", Port: "/dev/ttyS3", Baud: 9600, LRC: true}) {
		t.Errorf("%+v, %v", b, err)
	}
	_, err = hal.ParseBoard("b.toml", []byte(minimal+"[stripe]\ndriver=\"usb\"\nbaud=5\n"))
	for _, want := range []string{`stripe.driver: "usb" is not one of ascii-serial`, "stripe.baud: 5 is not within", "stripe.port: is missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
}
