// Package hal is where the hardware begins: the board file that says which devices a terminal has, and the byte line that drivers
// work on. The drivers are the packages below it; cmd/posd picks them by the board file and gives them to those who use them.
//
// It opens no device and knows no payments.
package hal
