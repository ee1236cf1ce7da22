// Package oracle holds the tests and benchmarks that set our work beside other people's: the ISO 8583 codec beside
// github.com/moov-io/iso8583, message by message. It is a module of its own, so that what is only compared with
// never comes into the terminal's list of dependencies.
//
// It exports nothing.
package oracle
