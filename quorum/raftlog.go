package quorum

import (
	"fmt"

	"go.uber.org/zap"
)

// raftPanic is what Raft panics with when a promise was broken.
type raftPanic string

// raftLogger hands Raft's lines on as debug output. Transitions worth an
// operator's time are logged by Member.
type raftLogger struct{ l *zap.Logger }

func (r raftLogger) debug(format string, v ...any) {
	if r.l.Core().Enabled(zap.DebugLevel) {
		r.l.Debug("raft", zap.String("text", fmt.Sprintf(format, v...)))
	}
}

func (r raftLogger) Debug(v ...any)                   { r.debug("%s", fmt.Sprint(v...)) }
func (r raftLogger) Debugf(format string, v ...any)   { r.debug(format, v...) }
func (r raftLogger) Info(v ...any)                    { r.debug("%s", fmt.Sprint(v...)) }
func (r raftLogger) Infof(format string, v ...any)    { r.debug(format, v...) }
func (r raftLogger) Warning(v ...any)                 { r.debug("%s", fmt.Sprint(v...)) }
func (r raftLogger) Warningf(format string, v ...any) { r.debug(format, v...) }
func (r raftLogger) Error(v ...any)                   { r.debug("%s", fmt.Sprint(v...)) }
func (r raftLogger) Errorf(format string, v ...any)   { r.debug(format, v...) }
func (r raftLogger) Fatal(v ...any)                   { panic(raftPanic(fmt.Sprint(v...))) }
func (r raftLogger) Fatalf(format string, v ...any)   { panic(raftPanic(fmt.Sprintf(format, v...))) }
func (r raftLogger) Panic(v ...any)                   { panic(raftPanic(fmt.Sprint(v...))) }
func (r raftLogger) Panicf(format string, v ...any)   { panic(raftPanic(fmt.Sprintf(format, v...))) }
