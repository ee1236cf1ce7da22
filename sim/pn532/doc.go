// Package pn532 is an NXP PN532 with an antenna and cards before it, as it looks from its serial line (HSU), from SPI and from I2C: the
// frames and commands of UM0701-02 that a reader of payment cards uses, and those that libnfc sends to find out what chip it has.
//
// One Chip knows the protocol; Serve is it on a byte line, and SPI and I2C put that line behind a periph bus. ISO/IEC 14443-4 is done by
// the chip, so a card is a thing that answers APDUs (Card) with what it says at activation (Target): ATS, or ATQB. Blocks are
// simulated as far as the host can see them: chaining between host and chip, the block number that a presence check depends on, waiting
// time extensions as time.
//
// A card answers REQA and REQB only when it is idle: one that was activated or deselected is quiet until the field goes off.
//
// The fault switches (faults.go) break the line, the chip, and the card's end of an exchange. Trace events show every APDU decoded (package
// posd/sim/apdu), with secrets masked.
//
// It does not do: FeliCa, Jewel, MIFARE commands, peer to peer, card emulation; it answers that there is nothing in the field.
package pn532
