package main

import (
	"context"
	"log/slog"

	"github.com/syncgate/syncgate/cmd/internal/validate"
	"github.com/syncgate/syncgate/internal/rootfs"
	"github.com/syncgate/syncgate/policies/cache"
	"github.com/syncgate/syncgate/policies/report"
	"github.com/syncgate/syncgate/policies/survey"
)

// collect is what the Gates say, which is kept, or what they said the last time, when
// nothing that they looked at has changed; asked is true when that is known not to be
// so. A cache that cannot be used changes no answer: that is told on the debug level.
func collect(ctx context.Context, log *slog.Logger, repo *rootfs.Root, look survey.Options, asked bool) report.Report {
	programs, err := validate.Programs(validate.Program)
	var answers *validate.Answers
	if err == nil {
		answers, err = openAnswers(programs, repo, look)
	}
	if err != nil {
		log.Debug("working without a cache", "reason", err)
		r, _ := survey.Collect(ctx, repo.FS(), look)
		validate.LogLooked(log, r)
		return r
	}
	return collectCached(ctx, log, answers, repo, look, asked)
}

func openAnswers(programs string, repo *rootfs.Root, look survey.Options) (*validate.Answers, error) {
	return validate.OpenAnswers(validate.Question{
		Programs: programs, Root: repo.Name(), Paths: look.Paths, Gate: look.Gate,
		Base: look.BaseName, HasBase: look.Base != nil, Diffs: look.Diffs, Now: look.Policies.Now,
	})
}

func collectCached(ctx context.Context, log *slog.Logger, answers *validate.Answers, repo *rootfs.Root, look survey.Options, asked bool) report.Report {
	if !asked {
		if r, ok := answers.Last(ctx, repo.FS(), look.Base); ok {
			validate.LogAgain(log, r)
			return r
		}
	}
	rec := cache.Record(repo.FS(), look.Base)
	if look.Base != nil {
		look.Base = rec.Tree(1)
	}
	r, _ := survey.Collect(ctx, rec.Tree(0), look)
	validate.LogLooked(log, r)
	if ctx.Err() == nil && r.Verdict() != report.Unknown {
		if err := answers.Keep(rec, r); err != nil {
			log.Debug("could not keep the answer", "reason", err)
		}
	}
	return r
}
