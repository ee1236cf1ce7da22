// Package vpcd carries a chip card over TCP by the protocol of vsmartcard (virtual smart card architecture, Frank Morgner): vpcd is the
// reader, vpicc the card. Both sides are here:
//
//   - Slot is the reader's side. It listens; a card that connects and says its answer to reset is a Card for the simulated reader
//     (sim/ccid), whichever program it is: vsmartcard's own vicc, jCardSim, a phone, or possim card.
//   - Serve is the card's side: one of our virtual cards at a reader, which may be Debian's vsmartcard-vpcd below pcscd.
//
// # Protocol
//
// Every message is its length, two bytes with the most significant first, and that many bytes. A message of one byte from the reader
// is a control: 0 power off, 1 power on, 2 reset, 4 say your ATR. Only the last is answered, with the ATR. A longer message is a
// command APDU, answered with its response APDU. The card never speaks unasked. The port is 35963.
//
// # What it holds against the other side
//
// A card that says no ATR in time, speaks unasked, stops in the middle of a message, or sends an empty or over-long one loses its
// connection, and with it its place in the reader; so does one that does not answer a command in time, since a late answer must never
// be taken for the answer to another command. One card is connected at a time; another one is refused.
//
// It does not do: reversed connections (vpcd calling the card), extended length APDUs to a foreign card, authentication of the other
// side. Who can reach the port can be the card.
package vpcd
