package forge

import (
	"context"
	"log/slog"
	"time"
)

// GitHubOptions say which repository on which GitHub.
type GitHubOptions struct {
	// BaseURL of the REST API. Empty: github.com. GitHub Enterprise:
	// "https://ghe.example/api/v3/".
	BaseURL string
	// Owner and Repo name the repository.
	Owner, Repo string
	// Token is asked anew for every call.
	Token func(ctx context.Context) (string, error)
	// MaxWait is how long a call waits itself when GitHub limits calls; a
	// longer wait is a *LimitedError. Default 15s.
	MaxWait time.Duration
	// Log gets every call at debug level. Nil: nothing is logged.
	Log *slog.Logger
}
