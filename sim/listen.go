package sim

import (
	"context"
	"io"
	"time"
)

// Listen reads a device's line until the context that it returns ends: with ctx, by stop, or with the line's own error as its cause.
// What is read comes on in. stop must be called; where the line has SetReadDeadline it waits until nobody reads the line any more, so
// that it can be served again.
func Listen(ctx context.Context, line io.Reader) (_ context.Context, in <-chan []byte, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	read := make(chan []byte)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			buf := make([]byte, 512)
			n, err := line.Read(buf)
			if n > 0 {
				select {
				case read <- buf[:n]:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				cancel(err)
				return
			}
		}
	}()
	return ctx, read, func() {
		cancel(nil)
		d, ok := line.(interface{ SetReadDeadline(time.Time) error })
		if ok && d.SetReadDeadline(time.Unix(1, 0)) == nil {
			<-ended
			_ = d.SetReadDeadline(time.Time{}) // the next one reads without a deadline
		}
	}
}
