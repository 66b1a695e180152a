package main

import (
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// supervisor tells systemd how a server does, if systemd started it. It is used
// by one goroutine.
type supervisor struct {
	notify func(state string) error
	log    *zap.Logger
	failed bool // told once
	// watchdog fires when a sign of life is due; nil: none is asked for.
	watchdog *time.Ticker
}

// notifySystemd hands a state to systemd; without systemd it does nothing.
func notifySystemd(state string) error {
	_, err := daemon.SdNotify(false, state)
	return err
}

// watchdogInterval is how often systemd wants a sign of life; 0: never.
func watchdogInterval() (time.Duration, error) { return daemon.SdWatchdogEnabled(false) }

func (a *app) newSupervisor(log *zap.Logger) *supervisor {
	s := &supervisor{notify: a.notify, log: log}
	every, err := a.watchdog()
	if err != nil {
		log.Warn("the watchdog of systemd is not understood", zap.Error(err))
	}
	if every > 0 {
		s.watchdog = time.NewTicker(every / 3)
	}
	return s
}

// due is when a sign of life is to be given; nil blocks for ever.
func (s *supervisor) due() <-chan time.Time {
	if s.watchdog == nil {
		return nil
	}
	return s.watchdog.C
}

// tell hands a state over. systemd that does not listen is no reason to stop.
func (s *supervisor) tell(state string) {
	if err := s.notify(state); err != nil && !s.failed {
		s.failed = true
		s.log.Warn("systemd cannot be told", zap.Error(err))
	}
}

func (s *supervisor) close() {
	if s.watchdog != nil {
		s.watchdog.Stop()
	}
}
