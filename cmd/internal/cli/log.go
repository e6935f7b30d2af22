package cli

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/pflag"
)

// LogOptions are the flags that every command has. Logs go to stderr; stdout
// is for what was asked for.
type LogOptions struct {
	format string
	level  string
}

// Flags adds the flags to f.
func (o *LogOptions) Flags(f *pflag.FlagSet) {
	f.StringVar(&o.format, "log-format", "text", "how logs on stderr look: text or json")
	f.StringVar(&o.level, "log-level", "warn", "least level that is logged: debug, info, warn or error")
}

// Logger writes to w, as the flags say.
func (o *LogOptions) Logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.level)); err != nil {
		return nil, Usage(fmt.Errorf("--log-level: expected debug, info, warn or error, found %q", o.level))
	}
	opts := &slog.HandlerOptions{Level: level}
	switch o.format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, Usage(fmt.Errorf("--log-format: expected text or json, found %q", o.format))
}
