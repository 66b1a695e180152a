package store

import "fmt"

// Checkpoint makes dir, which must not exist, a store of its own that holds all
// that was prepared: hard links to this one's files, so it costs neither time
// nor space in proportion to the data. It waits for a flush, since what is only
// in memory cannot be linked.
func (s *Store) Checkpoint(dir string) error {
	if err := s.Flush(); err != nil {
		return err
	}
	if err := s.seal.run(func() error { return s.db.Checkpoint(dir) }); err != nil {
		return fmt.Errorf("checkpoint tree to %s: %w", dir, err)
	}
	return nil
}
