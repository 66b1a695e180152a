package audit

import (
	"bytes"

	"go.uber.org/zap"
)

// toLogger is a Sink that writes each line as an entry of a log.
type toLogger struct{ log *zap.Logger }

// ToLogger returns a Sink that writes to log: failures as errors, the rest as information, and
// the line without its time and level as the message.
func ToLogger(log *zap.Logger) Sink { return toLogger{log} }

func (t toLogger) Write(lines []byte) error {
	for line := range bytes.Lines(lines) {
		head, message, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(": "))
		if !ok {
			continue // never written by this package
		}
		if bytes.Contains(head, []byte(" ERROR ")) {
			t.log.Error(string(message))
		} else {
			t.log.Info(string(message))
		}
	}
	return nil
}

func (t toLogger) Close() error { return nil }
