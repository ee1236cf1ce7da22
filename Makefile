# posd: what a newcomer guesses. Every target does its own set-up.
#   make run     build posd and possim, start the virtual terminal, print its URL
#   make demo    a chip sale and a Huabei sale in the shell, receipts as text
#   make test    every test
#   make lint    gofumpt, go vet, staticcheck
#   make bench   figures, side by side with a peer
#   make fuzz    each fuzz target for FUZZTIME
#   make arm     posd for the board (ARMv7, static)

GO      ?= go
BIN     := bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
export CGO_ENABLED := 0

FUZZTIME ?= 10s

# Language in which the virtual terminal starts: zh or en.
TERMINAL_LANG ?= zh

# Packages whose tests also run as 32-bit ARM, under emulation: everything that computes. The others are held by devices and
# processes; left out are tests that start themselves as another process, and the long one that runs RSA thousands of times.
ARM_TESTS := ./internal/money ./journal ./emv/... ./qrpay ./netlink/iso8583 ./netlink/acquirer ./vault ./printer ./keypad ./txn

.PHONY: all run demo test test-go test-arm test-oracle lint bench fuzz arm cover build clean setup-run setup-test

all: build

setup-run:
	@command -v $(GO) >/dev/null 2>&1 || scripts/need $(GO) golang-go "the Go compiler"

setup-test: setup-run
	@scripts/need chromium chromium "the browser test of the front panel"
	@scripts/need -f /usr/share/fonts/truetype/wqy/wqy-microhei.ttc fonts-wqy-microhei "Chinese text in the browser test"
	@scripts/need qemu-arm-static qemu-user-static "unit tests as 32-bit ARM"
	@scripts/need pcscd pcscd "an independent driver judges the simulated card reader"
	@scripts/need -f /usr/lib/pcsc/drivers/serial/libccidtwin.so libccid "an independent driver judges the simulated card reader"
	@scripts/need opensc-tool opensc "an independent driver judges the simulated card reader"
	@scripts/need vicc vsmartcard-vpicc "a foreign card in the virtual terminal"
	@scripts/need -f /usr/lib/python3/dist-packages/Cryptodome/__init__.py python3-pycryptodome "a foreign card in the virtual terminal"
	@scripts/need nfc-list libnfc-bin "an independent driver judges the simulated contactless reader"
	@scripts/need nfc-poll libnfc-examples "an independent driver judges the simulated contactless reader"
	@scripts/need pn53x-tamashell libnfc-pn53x-examples "an independent driver judges the simulated contactless reader"

build: setup-run
	@mkdir -p $(BIN)
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/posd ./cmd/possim

run: build
	$(BIN)/possim run -lang $(TERMINAL_LANG) -posd $(BIN)/posd

demo: build
	$(BIN)/possim demo -lang $(TERMINAL_LANG) -posd $(BIN)/posd

test: setup-test build test-go test-oracle test-arm

test-go:
	$(GO) test ./...

test-oracle:
	cd internal/oracle && $(GO) test ./...

# Left out are tests that kill processes and tables that make hundreds of signatures: emulated, they take minutes and show nothing new.
ARM_SKIP := ^(TestWire|TestKilled|TestDamagedPages|TestObjectsWithoutValue|TestODAMoreClauses|TestXDAClauses|TestRecordClauses|TestCDAModes|TestCDAFirstFailures|TestECSDSASteps)

test-arm:
	GOARCH=arm GOARM=7 $(GO) test -short -timeout 20m -skip '$(ARM_SKIP)' -exec qemu-arm-static $(ARM_TESTS)

lint: setup-run
	@out=$$($(GO) tool gofumpt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofumpt would change:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

arm: setup-run
	@mkdir -p $(BIN)
	GOOS=linux GOARCH=arm GOARM=7 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/posd-arm ./cmd/posd
	@ls -l $(BIN)/posd-arm

bench: build arm
	scripts/bench

fuzz: setup-run
	scripts/fuzz $(FUZZTIME)

cover:
	$(GO) test -coverprofile=coverage.out ./... && $(GO) tool cover -func=coverage.out | tail -1

clean:
	rm -rf $(BIN) coverage.out
