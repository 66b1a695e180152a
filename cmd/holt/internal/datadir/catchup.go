package datadir

import (
	"errors"
	"fmt"
	"os"

	"holt/quorum"
	"holt/quorum/storage"
	"holt/server/apply"
	"holt/server/watch"
	"holt/session"
	"holt/wire"
)

// batchBytes of entries are read from the log at once.
const batchBytes = 4 << 20

// catchUp applies to the tree what the log in logDir holds beyond it. scratch is where the
// log is copied to: reading it writes to it.
func (c *Copy) catchUp(logDir, scratch string) (err error) {
	if _, err := os.Stat(logDir); errors.Is(err, os.ErrNotExist) {
		return nil // never started
	}
	if err := copyDatabase(logDir, scratch); err != nil {
		return err
	}
	log, err := storage.Open(scratch, storage.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if !log.Founded() {
		return nil
	}
	if _, pending := log.PendingInstall(); pending {
		return errors.New("a snapshot of another member was being taken over: start the member and let it end that")
	}
	s, err := c.Store()
	if err != nil {
		return err
	}
	machine, err := apply.Open(s, apply.Config{})
	if err != nil {
		return err
	}
	to, unknown, err := committed(log)
	if err != nil {
		return err
	}
	c.Unknown = unknown
	return applyEntries(machine, log, to)
}

// committed is the last entry known to be committed, and how many there are beyond.
func committed(log *storage.Log) (to, unknown uint64, err error) {
	last, err := log.LastIndex()
	if err != nil {
		return 0, 0, err
	}
	to = log.HardState().Commit
	if conf, ok := log.ConfAt(last); ok && len(conf.State.Voters) == 1 && len(conf.State.VotersOutgoing) == 0 &&
		conf.State.Voters[0] == log.Identity().Member {
		to = last // what the only voter has on disk is committed
	}
	return to, last - to, nil
}

func applyEntries(machine *apply.Machine, log *storage.Log, to uint64) error {
	first, err := log.FirstIndex()
	if err != nil {
		return err
	}
	from := max(machine.Applied()+1, 2) // see quorum.StateMachine
	if from <= to && from < first {
		return fmt.Errorf("the tree ends with entry %d and the log begins with %d", machine.Applied(), first)
	}
	for from <= to {
		entries, err := log.Entries(from, to+1, batchBytes)
		if err != nil {
			return err
		}
		for _, e := range entries {
			data, err := quorum.EntryData(e)
			if err == nil {
				err = machine.Apply(e.GetIndex(), e.GetTerm(), data, nobody{})
			}
			if err != nil {
				return err
			}
			from = e.GetIndex() + 1
		}
	}
	return nil
}

// nobody is told what the entries did.
type nobody struct{}

func (nobody) Change(*watch.Change)                 {}
func (nobody) SessionOpened(*session.Facts)         {}
func (nobody) SessionMoved(*session.Facts)          {}
func (nobody) Restored()                            {}
func (nobody) SessionClosed(wire.SessionID)         {}
func (nobody) Result(*apply.Command, *apply.Result) {}
