// Package pn532 drives an NXP PN532, the contactless front end: it activates cards of type A and B and exchanges APDUs with them. The
// chip does ISO/IEC 14443-3 and -4 itself; the driver does the chip's frames and the reader's side of EMV Contactless Book D as far as
// the chip lets it.
//
// # Datasheet
//
// NXP UM0701-02, PN532 User Manual (commands of firmware 1.6, the host interfaces); AN10609 (wake-up).
//
// # Layers
//
//   - frame.go: frames, ACK, NACK, error frame; a decoder for whatever a line delivers.
//   - dev.go: one command at a time, acknowledged, sent again, answered, with a bound on every wait; the chip's setting up.
//   - hsu.go, spi.go, i2c.go: the three ways to the chip: a hal.Port, a periph spi.Port, a periph i2c.Bus.
//   - target.go, field.go, card.go: polling, collision, activation, the field, removal; APDUs.
//
// A frame that is not acknowledged is sent again; one with a card's command only after so long a silence that the chip cannot have got it. An
// answer that is damaged is asked for again (NACK): the chip says it once more, the card does nothing twice.
//
// It does not do: other speeds than 106 kbit/s (EMV uses no other), FeliCa, Jewel, peer to peer, card emulation, MIFARE commands, the
// chip's power-down. It knows nothing of EMV applications: data pass unread, and nothing that passes is put into an error text.
package pn532
