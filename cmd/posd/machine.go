package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"

	"posd/emv"
	"posd/hal"
	"posd/hal/ccid"
	"posd/hal/display"
	"posd/hal/input"
	"posd/hal/msr"
	"posd/hal/pinpad"
	"posd/hal/scanner"
	"posd/hal/serial"
	"posd/hal/thermal"
	"posd/internal/money"
	"posd/journal"
	"posd/keypad"
	"posd/netlink"
	"posd/netlink/acquirer"
	"posd/printer"
	"posd/qrpay"
	"posd/qrpay/alipay"
	"posd/txn"
	"posd/vault"
)

// settings are all the files that say what this terminal is, read and checked.
type settings struct {
	board    *hal.Board
	conf     *config
	profile  *acquirer.Profile // nil: no bank cards
	emv      emv.Config
	contract qrpay.Contract
	noPIN    bool // the parameters claim PIN methods (9F33) that the board does not have
}

// load reads every configuration file. All that is wrong is said at once.
func load(boardPath, configPath string) (*settings, error) {
	s := &settings{}
	var errs []error
	try := func(err error) { errs = append(errs, err) }
	var err error
	s.board, err = hal.LoadBoard(boardPath)
	try(err)
	s.conf, err = loadConfig(configPath)
	if err != nil {
		return s, errors.Join(append(errs, err)...)
	}
	if s.conf.Acquirer.Profile != "" {
		s.profile, err = acquirer.LoadProfile(s.conf.Acquirer.Profile)
		try(err)
		s.emv, err = emv.LoadParametersFile(s.conf.EMV.Parameters)
		try(err)
		t := s.conf.Terminal
		s.emv.Terminal.Country = t.Country
		s.emv.Terminal.TerminalID, s.emv.Terminal.MerchantID, s.emv.Terminal.MerchantName = t.TID, t.MID, t.MerchantEN
		s.emv.Terminal.Category, s.emv.Terminal.IFDSerial = t.MCC, t.Serial
		if err == nil {
			claimed := s.emv.Terminal.Capabilities
			s.emv.Terminal.Capabilities = offlinePIN(claimed, s.board)
			s.noPIN = claimed != s.emv.Terminal.Capabilities
			try(s.emv.Check())
			try(s.emv.Conforms())
		}
		_, err = s.tls()
		try(err)
		if s.profile != nil && uint16(s.profile.Currency) != s.conf.Terminal.Currency {
			try(fmt.Errorf("config: terminal.currency is %d, but acquirer.profile sells in %d", s.conf.Terminal.Currency, s.profile.Currency))
		}
	}
	if w := s.conf.Wallets.Alipay; w != nil {
		s.contract, err = qrpay.LoadContract(w.Contract)
		try(err)
		if err == nil && uint16(s.contract.Currency) != s.conf.Terminal.Currency {
			err = fmt.Errorf("config: terminal.currency is %d, but wallets.alipay.contract sells in %d", s.conf.Terminal.Currency, s.contract.Currency)
		}
		try(err)
		_, err = s.gateway()
		try(err)
	}
	return s, errors.Join(errs...)
}

// now is the wall clock in the terminal's time zone.
func (s *settings) now() func() time.Time {
	zone, err := s.conf.zone()
	if err != nil {
		zone = time.Local // refused by check
	}
	return func() time.Time { return time.Now().In(zone) }
}

func (s *settings) line() (netlink.Config, error) {
	t, err := s.tls()
	return netlink.Config{Addresses: s.conf.Acquirer.Addresses, TLS: t, IdleClose: 2 * time.Minute}, err
}

func (s *settings) gateway() (*alipay.Gateway, error) {
	w := s.conf.Wallets.Alipay
	private, err1 := os.ReadFile(w.PrivateKey)
	public, err2 := os.ReadFile(w.PublicKey)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("config: wallets.alipay: %w", err)
	}
	c := alipay.Config{
		Gateway: w.Gateway, AppID: w.AppID, PrivateKeyPEM: private, AlipayPublicKeyPEM: public, Timeout: seconds(w.Timeout), OrderLife: s.contract.OrderLife,
		ServerName: w.ServerName, ServiceProviderID: w.Provider, AppAuthToken: w.AuthToken,
	}
	if w.CA != "" {
		pem, err := os.ReadFile(w.CA)
		if err != nil {
			return nil, fmt.Errorf("config: wallets.alipay.ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("config: wallets.alipay.ca: %s has no certificate", w.CA)
		}
	}
	return alipay.New(c)
}

// machine is a terminal that is switched on: the drivers, the console and the flows.
type machine struct {
	console *keypad.Console
	term    *txn.Terminal
	store   *journal.Store
	set     *settings
	log     zerolog.Logger
	stop    []func()
}

func (m *machine) later(f func()) { m.stop = append(m.stop, f) }

// close releases everything, last opened first.
func (m *machine) close() {
	for i := len(m.stop) - 1; i >= 0; i-- {
		m.stop[i]()
	}
	m.stop = nil
}

// build opens what must be there (display, keypad, journal) and prepares the drivers of what may come and go.
func build(ctx context.Context, s *settings, log zerolog.Logger) (_ *machine, err error) {
	m := &machine{log: log, set: s}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	// The journal's lock first: a second posd on the same data must not touch the devices of the one that runs.
	store, jerr := openJournal(s.conf.Data)
	if errors.Is(jerr, journal.ErrInUse) {
		return nil, jerr
	}
	if err := m.buildConsole(ctx, s); err != nil {
		if jerr == nil {
			_ = store.Close()
		}
		return nil, err
	}
	if jerr != nil {
		m.refuse(ctx, jerr)
		return nil, jerr
	}
	m.store = store
	m.later(func() { _ = m.store.Close() })

	t := s.conf.Terminal
	m.term = &txn.Terminal{
		Console: m.console, Journal: store, Now: s.now(), Rand: rand.Reader, Log: log, Wallets: map[string]txn.Wallet{},
		Config: txn.Config{
			MID: t.MID, TID: t.TID, MerchantZH: t.MerchantZH, MerchantEN: t.MerchantEN, Operator: t.Operator, Currency: money.Currency(t.Currency), MaxAmount: t.MaxAmount,
			CardWait: seconds(s.conf.Timeouts.Card), PINWait: seconds(s.conf.Timeouts.PIN), ScanWait: seconds(s.conf.Timeouts.Scan),
			ResultHold: seconds(s.conf.Timeouts.Result), HostWait: seconds(s.conf.Timeouts.Host), TearWait: seconds(s.conf.Timeouts.Tear),
		}.Defaults(),
	}
	if err := m.buildCard(s); err != nil {
		m.refuse(ctx, err)
		return nil, err
	}
	if s.board.Printer != nil {
		m.term.Printer = m.buildPrinter(s.board.Printer)
	}
	if s.conf.Wallets.Alipay != nil {
		g, err := s.gateway()
		if err != nil {
			return nil, err
		}
		m.term.Wallets[s.contract.Wallet] = alipayWallet{g}
		m.term.Config.Contract = s.contract
	}
	if b := s.board.Scanner; b != nil {
		dev := scanner.New(serial.Opener(serial.Config{Path: b.Port, Baud: b.Baud}), &scanner.Opts{Trigger: scanner.Trigger(b.Trigger), Suffix: b.Suffix})
		m.later(func() { _ = dev.Close() })
		m.term.Scanner = dev
	}
	return m, nil
}

// refuse shows that the terminal cannot sell. Whoever starts it will start it again; the display must not stay dark.
func (m *machine) refuse(ctx context.Context, err error) {
	title, code := keypad.ConfigBad, "F01"
	switch {
	case errors.Is(err, journal.ErrDamaged), errors.Is(err, journal.ErrVersion):
		title, code = keypad.JournalFull, "J02"
	case errors.Is(err, journal.ErrStorage), isPathError(err):
		title, code = keypad.JournalFull, "J01"
	}
	m.log.Error().Err(err).Str("code", code).Msg("cannot start")
	m.console.Hold(ctx, keypad.Screen{
		Name: "cannot-start", Mood: keypad.Bad, Title: keypad.T(title), Body: []keypad.Text{keypad.T(keypad.CallHelp)}, Code: code,
	}, 20*time.Second)
}

func isPathError(err error) bool {
	var p *os.PathError
	return errors.As(err, &p)
}

// refuseConfig shows on the display that the configuration is wrong, if the board file is good enough to find the display.
func refuseConfig(ctx context.Context, s *settings, log zerolog.Logger, cause error) {
	if s.board == nil {
		return // no display is known: the words on standard error are all there is
	}
	if s.conf == nil {
		s.conf = &config{Language: string(keypad.ZH)}
	}
	m := &machine{log: log, set: s}
	defer m.close()
	if err := m.buildConsole(ctx, s); err != nil {
		log.Error().Err(err).Msg("display")
		return
	}
	m.refuse(ctx, configFault{cause})
}

// configFault marks an error as one of the configuration, whatever it wraps.
type configFault struct{ err error }

func (e configFault) Error() string { return e.err.Error() }

// reopen opens the journal again after its storage failed, and tells whether it takes writes again. The error is that of a file that cannot
// be opened any more.
func (m *machine) reopen() (again bool, err error) {
	if err := m.store.Healthy(); err == nil {
		return false, nil
	}
	_ = m.store.Close() // it takes no more writes; what was acknowledged is in the file
	store, err := openJournal(m.set.conf.Data)
	if err != nil {
		return false, err
	}
	m.store, m.term.Journal = store, store
	if err := store.Probe(); err != nil {
		m.log.Warn().Err(err).Msg("storage still takes no write") // sales are refused before a card is asked for
		return false, nil
	}
	m.log.Info().Msg("journal opened again")
	return true, nil
}

func (m *machine) buildConsole(ctx context.Context, s *settings) error {
	b := s.board
	screen, err := display.New(display.Opts{Path: b.Display.Path, Width: b.Display.Width, Height: b.Display.Height, BPP: b.Display.BPP, Stride: b.Display.Stride})
	if err != nil {
		return err
	}
	m.later(func() { _ = screen.Halt() })
	// One queue from the keypad to the console, so that the console can drop what was typed before a prompt.
	strokes := make(chan keypad.Key, input.Queue)
	options := keypad.Options{Lang: chosenLanguage(s.conf.Data, s.conf.Language), Now: s.now(), Log: m.log}
	if b.Keypad == nil { // a board file that was salvaged: there is only something to show
		m.console = keypad.New(strokes, screen, options)
		return nil
	}
	console := keypad.New(strokes, screen, options)
	m.console = console
	keys := input.New(input.Opts{
		Path: b.Keypad.Path, Map: b.Keypad.Codes, Grab: b.Keypad.Grab, EventSize: b.Keypad.EventSize,
		Sink: func(k input.Key) {
			select {
			case strokes <- keypad.Key(k.Rune):
			default: // nobody reads: a cashier who hammers keys must not find them in the next prompt
			}
		},
		Event: func(err error) {
			if err != nil {
				m.log.Warn().Err(err).Str("code", "K01").Msg("keypad")
			}
			console.SetKeypad(err == nil)
		},
	})
	ctx, cancel := context.WithCancel(ctx)
	m.later(cancel)
	go func() { _ = keys.Run(ctx) }()
	return nil
}

func (m *machine) buildCard(s *settings) error {
	if s.profile == nil {
		return nil
	}
	var pad vault.Pad = noPad{}
	if b := s.board.PINPad; b != nil {
		dialect := pinpad.VF
		if b.Dialect == "uic" {
			dialect = pinpad.UIC
		}
		dev := pinpad.New(serial.Opener(serial.Config{Path: b.Port, Baud: b.Baud}), &pinpad.Opts{Dialect: dialect, Slot: byte('0' + b.MasterSlot), Progress: b.Progress})
		m.later(func() { _ = dev.Close() })
		pad = dev
	}
	keys, err := vault.Open(s.conf.Data, pad, vault.Options{})
	if err != nil {
		return err
	}
	cfg, err := s.line()
	if err != nil {
		return err
	}
	cfg.Log = m.log
	link, err := netlink.New(cfg)
	if err != nil {
		return err
	}
	if s.noPIN {
		m.log.Info().Hex("capabilities", s.emv.Terminal.Capabilities[:]).Msg("the board has no keypad for PINs that the card compares: taken out of 9F33")
	}
	t := s.conf.Terminal
	host, err := acquirer.New(s.profile, acquirer.Identity{TID: t.TID, MID: t.MID, Operator: t.Operator, Serial: t.Serial}, keys, link, m.log)
	if err != nil {
		return err
	}
	m.later(func() { _ = host.Close() })
	m.term.Keys, m.term.Acquirer = keys, host
	m.term.Kernel = txn.Contact{Kernel: emv.New(s.emv, emv.WithPending(m.term.Pending))}
	m.term.Config.Offline, m.term.Config.TerminalType = s.profile.Offline, s.emv.Terminal.Type
	m.term.Config.SaleTags, m.term.Config.ReversalTags = s.profile.ICC.Sale, s.profile.ICC.Reversal
	m.term.Config.ReversalTries = s.profile.Reversal.Tries
	m.term.Config.Advices, m.term.Config.Referral = s.profile.Advices, s.profile.Referral
	_, m.term.Config.Swipe = s.profile.Entries[acquirer.EntryMagstripe]
	m.term.Config.Stripe = s.profile.Stripe
	if b := s.board.Stripe; b != nil {
		dev := msr.New(serial.Opener(serial.Config{Path: b.Port, Baud: b.Baud}), &msr.Opts{LRC: b.LRC})
		m.later(func() { _ = dev.Close() })
		m.term.Stripe = stripe{dev}
	}
	if b := s.board.Reader; b != nil {
		dev := ccid.New(serial.Opener(serial.Config{Path: b.Port, Baud: b.Baud, TwoStop: true}), &ccid.Opts{
			Profile: ccid.Profile(b.Profile), Level: ccid.Level(b.Level), PIN: ccid.PINEntry(b.PINEntry),
		})
		m.later(func() { _ = dev.Close() })
		m.term.Reader = reader{dev}
		if ccid.PINEntry(b.PINEntry) != ccid.PINNone {
			m.term.CardPIN = cardPIN{dev}
		}
	}
	return nil
}

func (m *machine) buildPrinter(b *hal.Printer) txn.Printer {
	o := &thermal.Opts{Query: thermal.InOrder}
	if !b.Status {
		o.Query = thermal.None
	}
	dev := thermal.New(serial.Opener(serial.Config{Path: b.Port, Baud: b.Baud}), o)
	m.later(func() { _ = dev.Halt() })
	return paper{
		dev: dev, paper: printer.Paper{Dots: b.Dots, Columns: b.Columns},
		profile: printer.Profile{Encoding: printer.Encoding(b.Encoding), NativeQR: b.QR == "native", Cutter: b.Cut, Feed: printer.Generic.Feed},
	}
}

// noPad stands where the board has no PIN pad: every use of a key fails with a clear cause.
type noPad struct{}

var errNoPad = fmt.Errorf("%w: the board has no PIN pad", vault.ErrPad)

func (noPad) EnterPIN(context.Context, []byte, vault.PINEntry) (vault.PINBlock, error) {
	return vault.PINBlock{}, errNoPad
}
func (noPad) MAC(context.Context, []byte, []byte) ([8]byte, error) { return [8]byte{}, errNoPad }
