// Package acquirer is the terminal's side of the conversation with an acquirer in the style of UnionPay direct connect (QCUP 009):
// sign-on with working keys under the terminal master key, echo, sale and reversal, each with TPDU, header and field 64.
//
// What differs from one acquirer to the next is data of a Profile. Where a request ends without an answer that can be believed,
// the result is a *Failure: unknown, never a no. An answer is believed when its type, STAN, terminal and merchant are those of the
// request, its MAC is right, and it repeats processing code and amount. An answer to anything else on the line is skipped, and
// is never kept for a later request.
//
// It will not retry, decide about reversals, keep keys or know what a PIN is. Requests and answers are never logged; what is logged of
// them are the type, STAN and response code.
package acquirer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"posd/netlink"
	"posd/netlink/iso8583"
	"posd/vault"
)

// Line carries messages to the host and back. *netlink.Link is one.
type Line interface {
	// Connect makes sure that there is a connection; fresh tells that it is a new one.
	Connect(ctx context.Context) (fresh bool, err error)
	// Send sends one message; sent is false only when surely no byte has left.
	Send(ctx context.Context, message []byte) (sent bool, err error)
	// Receive waits for one message, which is valid until the next call.
	Receive(ctx context.Context) ([]byte, error)
	Close() error
}

// Keys makes MACs under the acquirer's MAC key (ISO 9797-1 algorithm 1, zero padding). *vault.Keys is one.
type Keys interface {
	MAC(ctx context.Context, data []byte) ([8]byte, error)
}

// Identity is the terminal as the acquirer knows it.
type Identity struct {
	TID      string // field 41, eight characters
	MID      string // field 42, fifteen characters
	Operator string // field 63.1 of the sign-on, up to three characters
	Serial   string // of the terminal, for field 62 of the sign-on; may be empty
}

// Check tells what is wrong with an identity, if anything is.
func (id Identity) Check() error {
	switch {
	case len(id.TID) != 8:
		return &RequestError{"terminal number", "must have 8 characters"}
	case len(id.MID) != 15:
		return &RequestError{"merchant number", "must have 15 characters"}
	case len(id.Operator) > 3:
		return &RequestError{"operator", "must have at most 3 characters"}
	case len(id.Serial) > 50:
		return &RequestError{"serial number", "must have at most 50 characters"}
	}
	for _, c := range id.TID + id.MID + id.Operator + id.Serial {
		if c < ' ' || c > '~' {
			return &RequestError{"identity", "has a character that is not printable ASCII"}
		}
	}
	return nil
}

// mostForeign is how many messages that answer something else are skipped for one request before the line is given up.
const mostForeign = 32

// Client speaks to one acquirer. It is for one goroutine: there is at most one request open.
type Client struct {
	profile  *Profile
	id       Identity
	line     Line
	keys     Keys
	log      zerolog.Logger
	req, ans *iso8583.Message
	frame    []byte
	asked    byte // processing request digit of the last answer
}

// New returns a client that is not connected. It fails when the identity is not one.
func New(profile *Profile, id Identity, keys Keys, line Line, log zerolog.Logger) (*Client, error) {
	if err := id.Check(); err != nil {
		return nil, err
	}
	return &Client{
		profile: profile, id: id, line: line, keys: keys, log: log,
		req: iso8583.NewMessage(profile.Spec), ans: iso8583.NewMessage(profile.Spec),
	}, nil
}

// Profile returns the profile, for the tags of field 55, the texts and the number of reversal tries.
func (c *Client) Profile() *Profile { return c.profile }

// Connect makes sure that there is a connection to the host, with an echo over a new one when the profile wants it. Nothing
// financial is sent. Sale, Reverse and SignOn connect by themselves; calling Connect earlier, while the card is read,
// saves the buyer's time.
func (c *Client) Connect(ctx context.Context) error {
	fresh, err := c.line.Connect(ctx)
	if err != nil || !fresh || !c.profile.Probe {
		return err
	}
	return c.echo(ctx)
}

// Close closes the connection.
func (c *Client) Close() error { return c.line.Close() }

// Echo asks the host for a sign of life. An error is no valid answer.
func (c *Client) Echo(ctx context.Context) error {
	if _, err := c.line.Connect(ctx); err != nil {
		return &Failure{Err: err}
	}
	return c.echo(ctx)
}

func (c *Client) echo(ctx context.Context) error {
	if err := c.buildEcho(); err != nil {
		return &Failure{Err: err}
	}
	return c.exchange(ctx, c.profile.Timeouts.Manage, exchangeRules{})
}

// SignOn asks for working keys and the batch number. A refusal by the host is a SignOnReply whose Action is not Approve; the error
// is a *Failure.
func (c *Client) SignOn(ctx context.Context, stan uint32) (SignOnReply, error) {
	if _, err := c.line.Connect(ctx); err != nil {
		return SignOnReply{}, &Failure{Err: err}
	}
	if err := c.buildSignOn(stan); err != nil {
		return SignOnReply{}, &Failure{Err: err}
	}
	if err := c.exchange(ctx, c.profile.Timeouts.Manage, exchangeRules{coded: true}); err != nil {
		return SignOnReply{}, err
	}
	out := SignOnReply{Code: c.ans.Text(39), HostTime: c.ans.Text(12), HostDate: c.ans.Text(13), Requested: c.asked}
	meaning := c.profile.Response(out.Code)
	out.Action, out.Text = meaning.Action, maps.Clone(meaning.Text)
	if out.Action != Approve {
		return out, nil
	}
	var err error
	if out.Keys, err = ParseKeys(c.profile.SignOn.Network, c.ans.Get(62)); err != nil {
		return SignOnReply{}, c.fail(ReasonBadData, err)
	}
	if out.Batch, err = batchOf(c.ans.Get(60)); err != nil {
		return SignOnReply{}, c.fail(ReasonBadData, err)
	}
	return out, nil
}

// batchOf reads field 60.2.
func batchOf(f60 []byte) (uint32, error) {
	if len(f60) < 8 {
		return 0, &MismatchError{60, "has no batch number"}
	}
	v, err := strconv.ParseUint(string(f60[2:8]), 10, 32)
	if err != nil || v == 0 {
		return 0, &MismatchError{60, "has no batch number"}
	}
	return uint32(v), nil
}

// Sale asks for approval of a purchase. The error is a *Failure; a refusal is a Reply.
func (c *Client) Sale(ctx context.Context, sale Sale) (Reply, error) {
	if err := c.Connect(ctx); err != nil {
		return Reply{}, notSent(err)
	}
	if err := c.buildSale(&sale); err != nil {
		c.wipe()
		return Reply{}, &Failure{Err: err}
	}
	if err := c.exchange(ctx, c.profile.Timeouts.Answer, exchangeRules{macked: true, coded: true}); err != nil {
		return Reply{}, err
	}
	return c.reply()
}

// Reverse takes a sale back. Action is Approve when the reversal is closed: the profile lists the codes that close it, "no such
// transaction" among them. With any other Action, and after a *Failure, it is still owed. The request is the same bytes for the same Reversal
// as long as the MAC key is the same.
func (c *Client) Reverse(ctx context.Context, rev Reversal) (Reply, error) {
	if err := c.Connect(ctx); err != nil {
		return Reply{}, notSent(err)
	}
	if err := c.buildReversal(&rev); err != nil {
		c.wipe()
		return Reply{}, &Failure{Err: err}
	}
	if err := c.exchange(ctx, c.profile.Timeouts.Reversal, exchangeRules{macked: true, coded: true}); err != nil {
		return Reply{}, err
	}
	reply, err := c.reply()
	if err == nil && c.profile.Reversal.Done[reply.Code] {
		reply.Action = Approve
	} else if reply.Action == Approve {
		reply.Action = Decline // a code that approves sales does not thereby close reversals
	}
	return reply, err
}

// notSent is a failure to connect: what was to be sent has not been.
func notSent(err error) error {
	var f *Failure
	if errors.As(err, &f) {
		err = f.Err // of the echo, which is not the request
	}
	return &Failure{Err: err}
}

// reply takes a Reply out of the answer.
func (c *Client) reply() (Reply, error) {
	a := c.ans
	defer a.Reset() // some hosts repeat the card number
	code := a.Text(39)
	meaning := c.profile.Response(code)
	if meaning.Unresolved {
		return Reply{}, c.fail(ReasonNoReply, &MismatchError{39, "says that the host does not know the outcome (" + code + ")"})
	}
	r := Reply{
		Code: code, Action: meaning.Action, Text: maps.Clone(meaning.Text), RRN: trimmed(a.Get(37)), Auth: trimmed(a.Get(38)),
		HostTime: a.Text(12), HostDate: a.Text(13), SettleDate: a.Text(15), Institute: a.Text(32), ICC: bytes.Clone(a.Get(55)), Requested: c.asked,
	}
	if f44 := a.Get(44); len(f44) > 0 { // 44.1 and 44.2 have eleven characters each
		r.Issuer = trimmed(f44[:min(11, len(f44))])
		r.Acquirer = trimmed(f44[min(11, len(f44)):min(22, len(f44))])
	}
	if f63 := a.Get(63); len(f63) >= 3 {
		r.Scheme = trimmed(f63[:3])
	}
	return r, nil
}

// exchangeRules tell what a message and its answer must have.
type exchangeRules struct {
	macked bool // field 64, both ways
	coded  bool // field 39 in the answer
}

// exchange sends the request and waits for its answer, which is in c.ans afterwards. The error is a *Failure, and then the connection
// is closed.
func (c *Client) exchange(ctx context.Context, wait time.Duration, rules exchangeRules) error {
	defer c.wipe()
	if err := c.seal(ctx, rules.macked); err != nil {
		return &Failure{Err: err}
	}
	log := c.log.With().Str("mti", c.req.MTI()).Str("stan", c.req.Text(11)).Logger()
	start := time.Now()
	sending, cancelSend := context.WithTimeout(ctx, wait) // a line that takes no bytes is given up as well
	defer cancelSend()
	if sent, err := c.line.Send(sending, c.frame); err != nil {
		log.Warn().Bool("sent", sent).Err(err).Msg("request not sent")
		if !sent {
			c.line.Close()
			return &Failure{Err: err}
		}
		return c.fail(ReasonNoReply, err)
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for range mostForeign {
		frame, err := c.line.Receive(waiting)
		if err != nil {
			log.Warn().Err(err).Msg("no answer")
			return c.fail(reasonOf(err), err)
		}
		message, requested, err := c.profile.openEnvelope(frame)
		if err == nil {
			err = c.ans.Parse(message)
		}
		if err != nil {
			log.Warn().Err(err).Msg("answer cannot be read")
			return c.fail(ReasonBadData, err)
		}
		if owner(c.req, c.ans) == foreign {
			log.Warn().Str("answer_mti", c.ans.MTI()).Str("answer_stan", c.ans.Text(11)).Msg("answer to another request skipped")
			continue
		}
		c.asked = requested
		// The answer came in time; how long the PIN pad takes to check it is not the host's fault, so the time-out no longer counts.
		if err := c.believe(ctx, message, rules); err != nil {
			log.Warn().Err(err).Msg("answer not believed")
			return err
		}
		log.Info().Str("code", c.ans.Text(39)).Dur("took", time.Since(start)).Msg("answered")
		return nil
	}
	log.Warn().Msg("too many answers to other requests")
	return c.fail(ReasonNoReply, fmt.Errorf("acquirer: %d messages on the line, none of them the answer", mostForeign))
}

// believe checks MAC and content of an answer that is the open request's.
func (c *Client) believe(ctx context.Context, message []byte, rules exchangeRules) error {
	if rules.macked {
		if !c.ans.Has(64) {
			return c.fail(ReasonBadMAC, &MismatchError{64, "is missing"})
		}
		want, err := c.mac(ctx, message[:len(message)-macSize])
		if err != nil {
			return c.fail(ReasonBadData, err)
		}
		if !vault.EqualMAC(want[:], c.ans.Get(64)) {
			return c.fail(ReasonBadMAC, &MismatchError{64, "is not the MAC of the answer"})
		}
	}
	if err := agrees(c.req, c.ans, rules.coded); err != nil {
		return c.fail(ReasonBadData, err)
	}
	return nil
}

// reasonOf tells why there is no answer: something that is not a message came, or nothing did.
func reasonOf(err error) string {
	var link *netlink.Error
	if errors.As(err, &link) && link.Cause == netlink.BadFrame {
		return ReasonBadData
	}
	return ReasonNoReply
}

// fail closes the connection and makes the failure of a request that may have left.
func (c *Client) fail(reason string, err error) error {
	c.line.Close()
	hint := reason == ReasonBadMAC && c.profile.Response(c.ans.Text(39)).Action == SignOn
	return &Failure{Sent: true, Reason: reason, SignOn: hint, Err: err}
}
