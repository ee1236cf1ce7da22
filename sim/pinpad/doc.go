// Package pinpad is a serial PIN pad as it looks from its line: "VISA / VeriFone-compatible packets", master/session keys, in the
// VeriFone (VF) and the PP791 (UIC) dialect. It has a keypad (Press), a display (Display), key slots with purposes, and faults.
//
// Packets: 02 04 06 08 11 (admin), Z1 Z2 (plain and fixed prompts) Z42 Z50 Z60 Z62 Z63 70 72, Z66; answers 71, Z43, Z51, Z67. Not
// here: DUKPT, Z3, Z69, key blocks, speed changes, self-tests; a packet that the pad does not know is ACKed and forgotten.
//
// What it keeps to: digits in clear are given out only under a fixed prompt of its own; a PIN leaves it only enciphered; clear keys
// are loaded only in the injection state, and entering that state wipes every key; a key has one slot and one purpose, is not
// longer than the key above it, and single DES is for MACs alone; until an answer is ACKed or given up, nothing else is done.
// Where the two dialects' manuals are silent, the choice is noted at the code.
//
// Extensions: Options.Progress (bytes 2A and 08 while a PIN is typed), and 02 with 16- or 24-byte keys for VF too.
//
// It is a simulator: keys are plain memory, and it holds only the published test keys below unless told otherwise.
package pinpad
