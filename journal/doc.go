// Package journal is the terminal's memory of money: one record per transaction, the table of moves a record may make, and, as a
// pure function over records, what is still owed to somebody.
//
// Rules:
//
//   - Begin is durable before the first byte of a request leaves; Move is durable before anybody is told.
//   - A record never goes back and never skips: Allowed is the whole table.
//   - An advice, a message about a sale behind its outcome, is stored and numbered in the same update as that outcome.
//   - Owed and Debts look at records only. No clock, no guess: what they return is what recovery must do.
//   - Nothing is deleted here. Closing a batch is the settlement's work.
//
// The store is a BoltDB file with three buckets: "records" (number -> record), "owed" (number of every record with a debt, kept in the
// same update as the record) and "meta" (next numbers, batch, totals). A damaged file is never repaired silently: Open refuses it.
// bbolt maps the file into memory, so a damaged page can kill the process that reads it; Options.Check lets the caller have the file
// examined by another process first (posd runs itself as "posd journal-check").
//
// What it will not do: hold a clear card number (first 6 and last 4 digits only; the rest is sealed by the caller), a PIN block, track
// data, or a buyer's payment code.
package journal
