package forge

import "log/slog"

// PlainOptions say where a plain Git server's pull requests are written.
type PlainOptions struct {
	// Dir is the folder that holds one Markdown file a pull request or issue.
	Dir string
	// Log gets what is written, at debug level. Nil: nothing is logged.
	Log *slog.Logger
}
