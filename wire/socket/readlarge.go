package socket

import "io"

// arrivedMin is from how many bytes on a piece is worth being told of.
const arrivedMin = 4 << 10

// ReadLarge reads b to its end, as io.ReadFull does, and calls arrived, which may be nil, as
// long as bytes keep coming. On a TCP connection of package net, on Linux, it is not
// woken for each of the segments that many bytes arrive in.
//
// All of b has to be on its way without a word from the reader. Nobody else reads
// meanwhile. The errors are those of r, and io.ErrUnexpectedEOF if r ends within b.
func ReadLarge(r io.Reader, b []byte, arrived func()) (n int, err error) {
	if len(b) >= lowWaterMin {
		if n, err, ok := readLowWater(r, b, arrived); ok {
			return n, err
		}
	}
	for n < len(b) && err == nil {
		var m int
		m, err = r.Read(b[n:])
		n += m
		if arrived != nil && m >= arrivedMin {
			arrived()
		}
	}
	return n, ended(n, len(b), err)
}

// ended is io.ReadFull's answer after n bytes of want.
func ended(n, want int, err error) error {
	switch {
	case n == want:
		return nil
	case n > 0 && err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}
