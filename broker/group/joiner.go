package group

import "sync/atomic"

// joiner calls a function after n things are done.
type joiner struct {
	left atomic.Int64
	then func()
}

// newJoiner returns a joiner of n things; with none it calls then at once.
func newJoiner(n int, then func()) *joiner {
	j := &joiner{then: then}
	j.left.Store(int64(n))
	if n == 0 {
		then()
	}
	return j
}

// done is called once for each of the things.
func (j *joiner) done() {
	if j.left.Add(-1) == 0 {
		j.then()
	}
}
