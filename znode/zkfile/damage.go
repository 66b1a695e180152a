package zkfile

import (
	"errors"
	"fmt"
)

// DamageError is a file that is not what it should be.
type DamageError struct {
	File   string // "" if what was read has no name
	Offset int64  // of what cannot be right, in the file as it is without compression
	Err    error
	// Saved says what there is before that place, "" if nothing can be had.
	Saved string
}

func (e *DamageError) Error() string {
	file := e.File
	if file == "" {
		file = "input"
	}
	s := fmt.Sprintf("%s is damaged at byte %d: %v", file, e.Offset, e.Err)
	if e.Saved != "" {
		s += "; " + e.Saved
	}
	return s
}

func (e *DamageError) Unwrap() error { return e.Err }

var (
	errCut    = errors.New("it ends early")
	errLength = errors.New("unreasonable length")
	errSeal   = errors.New("wrong checksum")
)

// named says of which file err is. A DamageError among its causes is all there is to say.
func named(file string, err error) error {
	if d := (*DamageError)(nil); errors.As(err, &d) && d.File == "" {
		d.File = file
		return d
	}
	return fmt.Errorf("%s: %w", file, err)
}
