// Package etc is the configuration that ships, as files: acquirer profiles, EMV parameters, wallet contracts. Programs that write a
// configuration start from these; posd itself reads files by path and does not use this package.
package etc

import "embed"

// Files holds the directory as it ships: "acquirers/unionpay.toml", "wallets/alipay.toml", "emv.toml".
//
//go:embed acquirers wallets emv.toml
var Files embed.FS
