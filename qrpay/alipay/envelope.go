package alipay

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"posd/internal/money"
)

const (
	maxBody  = 64 << 10 // bytes of an answer
	maxDepth = 16       // nesting of an answer
)

// Errors of an answer that is not believed.
var (
	// ErrAnswer is wrapped by every *AnswerError.
	ErrAnswer = errors.New("alipay: malformed answer")
	// ErrSignature is returned when the signature over the answer's bytes is missing or wrong.
	ErrSignature = errors.New("alipay: answer is not signed by the gateway's key")
)

// AnswerError names what is wrong with an answer. It holds no value out of the answer.
type AnswerError struct {
	Field  string // JSON key, "" for the whole
	Offset int    // bytes from the start of the object that holds Field
	Why    string
}

func (e *AnswerError) Error() string {
	return fmt.Sprintf("alipay: malformed answer: field %q at offset %d: %s", e.Field, e.Offset, e.Why)
}

func (e *AnswerError) Unwrap() error { return ErrAnswer }

// member is a value with the raw bytes it was sent in.
type member struct {
	raw    []byte
	offset int
}

type object map[string]member

// open returns the members of the method's answer node once the signature over the node's raw bytes is found right.
func open(method string, body []byte, key *rsa.PublicKey) (object, error) {
	if len(body) > maxBody {
		return nil, &AnswerError{"", maxBody, "body is too long"}
	}
	if !utf8.Valid(body) {
		return nil, &AnswerError{"", 0, "not UTF-8"}
	}
	if !json.Valid(body) {
		return nil, &AnswerError{"", 0, "not JSON"}
	}
	if err := noTwins(body, "", 0); err != nil {
		return nil, err
	}
	top, err := members(body)
	if err != nil {
		return nil, err
	}
	name := strings.ReplaceAll(method, ".", "_") + "_response"
	for k, m := range top {
		if strings.HasSuffix(k, "_response") && k != name {
			return nil, &AnswerError{clean(k, 64), m.offset, "not the node of the method asked" + hearsay(m.raw)}
		}
	}
	node, ok := top[name]
	if !ok {
		return nil, &AnswerError{name, 0, "missing"}
	}
	if _, ok := top["sign"]; !ok {
		return nil, fmt.Errorf("%w: no signature%s", ErrSignature, hearsay(node.raw))
	}
	text, err := top.text("sign")
	if err != nil {
		return nil, err
	}
	sign, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, &AnswerError{"sign", top["sign"].offset, "not base64"}
	}
	sum := sha256.Sum256(node.raw)
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sign) != nil {
		return nil, ErrSignature
	}
	return members(node.raw)
}

// hearsay tells the technician which code an answer claims that is not believed.
func hearsay(raw []byte) string {
	m, err := members(raw)
	if err != nil {
		return ""
	}
	code, _ := m.text("code")
	sub, _ := m.text("sub_code")
	if code == "" && sub == "" {
		return ""
	}
	return fmt.Sprintf(" (claims %s %s)", word(code), word(sub))
}

// members splits an object into its values, each with its raw bytes. Names are compared byte for byte, unlike encoding/json does
// with struct fields.
func members(raw []byte) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, &AnswerError{"", 0, "not an object"}
	}
	out := object{}
	for dec.More() {
		at := int(dec.InputOffset())
		t, err := dec.Token()
		k, ok := t.(string)
		if err != nil || !ok {
			return nil, &AnswerError{"", at, "not a name"}
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, &AnswerError{clean(k, 64), at, "not a value"}
		}
		out[k] = member{v, at}
	}
	return out, nil
}

// noTwins refuses a key that stands twice in one object, at any depth: readers differ on which of the two counts.
func noTwins(raw []byte, name string, depth int) error {
	if depth > maxDepth {
		return &AnswerError{clean(name, 64), 0, "nested too deep"}
	}
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 || (raw[0] != '{' && raw[0] != '[') {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return &AnswerError{clean(name, 64), 0, "not JSON"}
	}
	seen := map[string]bool{}
	for dec.More() {
		key, at := name, int(dec.InputOffset())
		if raw[0] == '{' {
			t, err := dec.Token()
			k, ok := t.(string)
			if err != nil || !ok {
				return &AnswerError{clean(name, 64), at, "not a name"}
			}
			if seen[k] {
				return &AnswerError{clean(k, 64), at, "given twice"}
			}
			seen[k], key = true, k
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return &AnswerError{clean(key, 64), at, "not a value"}
		}
		if err := noTwins(v, key, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// text is a string member, "" when it is absent.
func (o object) text(name string) (string, error) {
	m, ok := o[name]
	if !ok {
		return "", nil
	}
	var s string
	if m.raw[0] != '"' || json.Unmarshal(m.raw, &s) != nil {
		return "", &AnswerError{name, m.offset, "not a string"}
	}
	return s, nil
}

// amount is a sum in the currency's major unit, as a JSON string or number in the form that money.Parse reads.
func (o object) amount(name string, c money.Currency) (money.Amount, error) {
	m, ok := o[name]
	if !ok {
		return money.Amount{}, &AnswerError{name, 0, "missing"}
	}
	s := string(m.raw)
	if s[0] == '"' {
		if err := json.Unmarshal(m.raw, &s); err != nil {
			return money.Amount{}, &AnswerError{name, m.offset, "not a string"}
		}
	}
	a, err := money.Parse(s, c)
	if err != nil {
		return money.Amount{}, &AnswerError{name, m.offset, "not an amount"}
	}
	return a, nil
}

// list is an array member, nil when it is absent or not an array.
func (o object) list(name string) []json.RawMessage {
	var l []json.RawMessage
	if m, ok := o[name]; ok && json.Unmarshal(m.raw, &l) != nil {
		return nil
	}
	return l
}

// clean makes words from outside fit for a log line and a display: no control characters, not longer than n characters.
func clean(s string, n int) string {
	out := make([]rune, 0, min(len(s), n))
	for _, r := range s {
		if len(out) == n {
			break
		}
		if unicode.IsPrint(r) {
			out = append(out, r)
		}
	}
	return string(out)
}

// word keeps what codes are made of.
func word(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-", r)) {
			return r
		}
		return -1
	}, clean(s, 64))
}
