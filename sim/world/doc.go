// Package world is the hardware and the world around one payment terminal: a pseudo terminal for each serial device, a pipe for
// the keypad, a file for the display, test cards and phones, an acquirer and a wallet gateway. It writes a run directory with a board
// file and a configuration that point at all of it, and starts the unmodified posd there as a child, which it can also kill (power cut)
// and start again.
//
// What passes between posd and the devices and hosts comes together in one trace (Hub). People and scripts act through Do, whose
// actions have the same names over HTTP and in the shell (Actions).
//
// It will not help posd: nothing here reaches into it except through the devices' own protocols. It restarts nothing by itself. It
// holds no secret that matters: all cards, keys and certificates are made for tests.
package world
