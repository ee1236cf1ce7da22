package main

import (
	"context"
	"errors"
	"fmt"

	"posd/emv/contactless"
	"posd/hal/pn532"
)

// field is the contactless front end as the Entry Point wants it. Off and WaitRemoved are the driver's own.
type field struct{ *pn532.Dev }

var _ contactless.Field = field{}

func (f field) Activate(ctx context.Context) (contactless.Card, error) {
	c, err := f.Dev.Activate(ctx)
	switch {
	case errors.Is(err, pn532.ErrCollision):
		return nil, fmt.Errorf("%w: %w", contactless.ErrCollision, err)
	case err != nil:
		return nil, err
	}
	return c, nil
}
