package track

// ServiceCode is the three digits of a service code, or "" when the card has a separator in its place.
type ServiceCode string

// Interchange is the first digit of a service code: where the card may be used, and whether it has a chip.
type Interchange uint8

// Interchange rules (ISO/IEC 7813, service code, position 1).
const (
	InterchangeUnknown Interchange = iota // no service code, or a digit that the standard reserves
	International
	National // beyond the country only where that is agreed
	Private  // only where that is agreed
	Test     // no payment card
)

// Authorization is the second digit: who decides.
type Authorization uint8

// Authorization processing (position 2).
const (
	AuthorizationUnknown Authorization = iota
	Normal                             // by the rules of payment system and terminal
	ByIssuer                           // online
	ByIssuerOrAgreement                // online, where nothing else is agreed
)

// Services is what of the third digit speaks of goods and cash.
type Services uint8

// Allowed services (position 3).
const (
	ServicesUnknown Services = iota
	AnyService
	GoodsAndServices
	CashMachine
	CashOnly
)

// PINRule is what of the third digit speaks of the PIN.
type PINRule uint8

// PIN requirements (position 3).
const (
	PINNotAsked   PINRule = iota // the service code does not ask for one
	PINIfPossible                // where there is a PIN pad
	PINRequired
)

// The tables of ISO/IEC 7813, by digit. Digits that are not there are reserved.
var (
	interchanges = map[byte]struct {
		where Interchange
		chip  bool
	}{
		'1': {International, false}, '2': {International, true}, '5': {National, false}, '6': {National, true},
		'7': {Private, false}, '9': {Test, false},
	}
	authorizations = map[byte]Authorization{'0': Normal, '2': ByIssuer, '4': ByIssuerOrAgreement}
	services       = map[byte]struct {
		allowed Services
		pin     PINRule
	}{
		'0': {AnyService, PINRequired}, '1': {AnyService, PINNotAsked}, '2': {GoodsAndServices, PINNotAsked},
		'3': {CashMachine, PINRequired}, '4': {CashOnly, PINNotAsked}, '5': {GoodsAndServices, PINRequired},
		'6': {AnyService, PINIfPossible}, '7': {GoodsAndServices, PINIfPossible},
	}
)

func (s ServiceCode) digit(i int) byte {
	if len(s) != 3 {
		return 0
	}
	return s[i]
}

// Chip tells whether the card has a chip, which is to be used wherever that is possible.
func (s ServiceCode) Chip() bool { return interchanges[s.digit(0)].chip }

// Interchange is where the card may be used.
func (s ServiceCode) Interchange() Interchange { return interchanges[s.digit(0)].where }

// Authorization is who decides.
func (s ServiceCode) Authorization() Authorization { return authorizations[s.digit(1)] }

// Services is what the card may be used for.
func (s ServiceCode) Services() Services { return services[s.digit(2)].allowed }

// PIN is whether the cardholder must be asked for a PIN.
func (s ServiceCode) PIN() PINRule { return services[s.digit(2)].pin }
