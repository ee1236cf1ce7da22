// Package oda is offline data authentication without a card or a transaction: the certificates, signatures and keys of EMV 4.4 Book 2,
// chapters 5 (SDA), 6 (DDA and CDA), 11 (certification authority keys) and 12 (XDA), as pure functions over data objects that were
// read before. The contact kernel and the contactless kernels use it; each of them decides itself which method is performed, when, and what a
// failure means.
//
// Everything that comes from a card is bounded and checked. RSA keys are of 384 to 1984 bits with exponent 3 or 65537 and SHA-1; ECC
// suites are 10 (P-256 with SHA-256) and 11 (P-521 with SHA-512). Domestic algorithms (SM2, SM3) it does not know. No error text holds a value of a
// data object.
package oda
