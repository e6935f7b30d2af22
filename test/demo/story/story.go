// Package story is the demo: one change of a values file goes the whole way,
// on real API servers, real Git and the real programs. It tells what it does
// as it goes, and fails where something does not come out as it says.
package story

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/syncgate/syncgate/test/harness"
)

// Options say where the story is told and what it needs.
type Options struct {
	// Out is where it is told; Color allows colors there.
	Out   io.Writer
	Color bool
	// Root is the top folder of this repository, and Bin the folder of the
	// programs.
	Root, Bin string
	// Dir is the folder for everything the story makes. What lies there is
	// removed first.
	Dir string
	// Log hears of the building of tools.
	Log io.Writer
}

// Outcome is what the story came to, for tests.
type Outcome struct {
	// Ran are the commands, in order.
	Ran []Ran
	// PullRequest is the revert's.
	PullRequest PullRequest
	// Failing is the revision that was undone.
	Failing string
	// RevertTree is the tree of the pull request's branch, WantTree that of
	// `git revert` on the branch that is synced.
	RevertTree, WantTree string
	// Waited is how long PreSync took to pass once there was a fresh backup.
	Waited time.Duration
	// Elapsed is how long the whole story took.
	Elapsed time.Duration
}

// Ran is a command that ran to its end.
type Ran struct {
	Name   string
	Code   int
	Stdout string
	Stderr string
}

// Find is the first command of a name.
func (o *Outcome) Find(name string) (Ran, bool) {
	for _, r := range o.Ran {
		if r.Name == name {
			return r, true
		}
	}
	return Ran{}, false
}

// Story is a story that has been told and whose servers still run.
type Story struct {
	Outcome

	opts   Options
	screen *screen
	stage  *harness.Stage
	world
}

// Tell tells the story. Stop must be called in the end, also after an error.
func Tell(ctx context.Context, opts Options) (*Story, error) {
	s := &Story{opts: opts}
	// The commands are shown as they could be typed in the repository's folder.
	s.screen = newScreen(opts.Out, opts.Color, strings.NewReplacer(opts.Root+string(os.PathSeparator), ""))
	if err := os.RemoveAll(opts.Dir); err != nil {
		return s, fmt.Errorf("clear %s: %w", opts.Dir, err)
	}
	var err error
	if s.stage, err = harness.NewStage(opts.Dir); err != nil {
		return s, err
	}
	begin := time.Now()
	for _, part := range []struct {
		name string
		tell func(context.Context) error
	}{
		{"introduce", s.introduce},
		{"start the servers", s.start},
		{"install the first version", s.install},
		{"refuse a change that drifts", s.drift},
		{"render the fixed change", s.fix},
		{"wait for a backup", s.preSync},
		{"apply the change", s.apply},
		{"find the failure", s.postSync},
		{"show the revert", s.revert},
	} {
		if err := part.tell(ctx); err != nil {
			return s, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	s.Elapsed = time.Since(begin)
	s.conclude()
	return s, nil
}

// Stop stops everything, whatever the story came to.
func (s *Story) Stop() error {
	errs := []error{s.stop()}
	if s.stage != nil {
		errs = append(errs, s.stage.Stop())
	}
	return errors.Join(errs...)
}

// Logs is where the servers' logs lie.
func (s *Story) Logs() []string {
	var logs []string
	for _, pattern := range []string{"log/*.log", "*/log/*.log"} {
		names, _ := filepath.Glob(filepath.Join(s.opts.Dir, pattern))
		for _, name := range names {
			// What a command said is in the story; its log is empty then.
			if info, err := os.Stat(name); err == nil && info.Size() > 0 {
				logs = append(logs, name)
			}
		}
	}
	return logs
}
