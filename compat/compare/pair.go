package compare

import (
	"context"
	"errors"
)

// Pair is two servers that are to answer alike.
type Pair struct{ A, B *Side }

// Run runs the script at both servers at the same time.
func (p Pair) Run(ctx context.Context, s Script) (a, b Transcript, err error) {
	var errB error
	done := make(chan struct{})
	go func() {
		defer close(done)
		b, errB = p.B.Run(ctx, s)
	}()
	a, err = p.A.Run(ctx, s)
	<-done
	return a, b, errors.Join(err, errB)
}
