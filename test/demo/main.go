// Command demo tells how one change goes through Syncgate, on two real API
// servers. `make demo` builds what it needs and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/term"

	"github.com/syncgate/syncgate/test/demo/story"
	"github.com/syncgate/syncgate/test/tools"
)

func main() {
	os.Exit(run())
}

func run() int {
	keep := flag.Bool("keep", false, "leave everything running in the end, until Ctrl-C")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := demo(ctx, *keep); err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		if ctx.Err() != nil {
			return 130
		}
		return 1
	}
	return 0
}

// demo tells the story and stops all that it started, whatever comes.
func demo(ctx context.Context, keep bool) (err error) {
	root, err := tools.Root()
	if err != nil {
		return err
	}
	dir := filepath.Join(root, ".cache", "demo")
	unlock, err := alone(dir)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := story.Tell(ctx, story.Options{
		Out: os.Stdout, Color: term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == "",
		Root: root, Bin: filepath.Join(root, "bin"), Dir: dir, Log: os.Stderr,
	})
	defer func() { err = errors.Join(err, s.Stop()) }()
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted; everything is stopped")
	case err != nil:
		for _, log := range s.Logs() {
			err = fmt.Errorf("%w\n  log: %s", err, log)
		}
		return err
	case keep:
		s.Addresses()
		<-ctx.Done()
	}
	return nil
}

// alone makes sure that no other demo uses the folder.
func alone(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another demo runs in %s; end it first", dir)
	}
	return func() { _ = f.Close() }, nil
}
