package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logFlags are the flags of every command that runs a server.
type logFlags struct{ level, format string }

func (f *logFlags) add(cmd *cobra.Command, level string) {
	cmd.Flags().StringVar(&f.level, "log-level", level, "least level that is logged: debug, info, warn, error")
	cmd.Flags().StringVar(&f.format, "log-format", "text", "text, or json with one object per line")
}

// logger makes the process's logger, which writes to w.
func (f *logFlags) logger(w io.Writer) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(f.level)
	if err != nil {
		return nil, usageError("--log-level %s: not debug, info, warn or error", f.level)
	}
	cfg := zap.NewProductionEncoderConfig()
	cfg.TimeKey = "time"
	cfg.EncodeTime = zapcore.TimeEncoderOfLayout("2006-01-02T15:04:05.000Z07:00")
	cfg.EncodeDuration = func(d time.Duration, enc zapcore.PrimitiveArrayEncoder) { enc.AppendString(d.String()) }
	var encoder zapcore.Encoder
	switch f.format {
	case "text":
		cfg.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(cfg)
	case "json":
		encoder = zapcore.NewJSONEncoder(cfg)
	default:
		return nil, usageError("--log-format %s: not text or json", f.format)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level)), nil
}
