package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// folderPrefix begins the name of every temporary folder of a Stage.
const folderPrefix = "syncgate-stage-"

// lockName is the file whose lock tells that a temporary folder is in use.
const lockName = ".in-use"

// Stage owns a folder and the processes that were started on it.
type Stage struct {
	// Dir holds data and logs.
	Dir string

	temporary bool
	lock      *os.File
	spawn     chan func()
	ended     chan struct{}

	mu      sync.Mutex
	procs   []*Process
	stopped bool
}

// NewStage makes a Stage over dir. With dir "" it makes a temporary folder,
// which Stop removes, and removes those that killed processes left behind.
func NewStage(dir string) (*Stage, error) {
	s := &Stage{Dir: dir, spawn: make(chan func()), ended: make(chan struct{})}
	if dir == "" {
		if err := s.makeTemporary(); err != nil {
			return nil, fmt.Errorf("make stage: %w", err)
		}
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make stage: %w", err)
	}
	go s.spawner()
	return s, nil
}

// spawner starts the children, all from one thread of the system that lives as
// long as the stage: Linux sends a child its death signal when the thread that
// started it ends, not when the process does.
func (s *Stage) spawner() {
	defer close(s.ended)
	runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
	for start := range s.spawn {
		start()
	}
}

// makeTemporary makes a folder whose lock is held for as long as this process
// lives; a folder whose lock is free belongs to nobody any more.
func (s *Stage) makeTemporary() error {
	sweep(os.TempDir())
	dir, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	s.Dir, s.temporary, s.lock = dir, true, f
	return nil
}

// sweep removes the folders of processes that were killed. It leaves alone
// what it cannot open: that belongs to somebody else, or is just being made.
func sweep(tmp string) {
	locks, _ := filepath.Glob(filepath.Join(tmp, folderPrefix+"*", lockName))
	for _, name := range locks {
		info, err := os.Stat(name)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue // just made: the lock may not be taken yet
		}
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Dir(name))
		}
		_ = f.Close()
	}
}

// Path is the name of a file or folder on the stage.
func (s *Stage) Path(elem ...string) string {
	return filepath.Join(append([]string{s.Dir}, elem...)...)
}

// Start starts a command and waits until it is ready. The context bounds the
// start only; the process lives until Process.Stop or Stage.Stop. When it does
// not become ready it is stopped, and the error holds the end of its log.
func (s *Stage) Start(ctx context.Context, cmd Command) (*Process, error) {
	var err error
	if cmd.Env, err = s.withTemporary(cmd.Env); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Name, err)
	}
	p, err := newProcess(cmd, s.Path("log"))
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Name, err)
	}
	if err := s.launch(p); err != nil {
		_ = p.log.Close()
		return nil, fmt.Errorf("start %s: %w", cmd.Name, err)
	}
	if err := p.awaitReady(ctx); err != nil {
		stopErr := p.Stop()
		return nil, errors.Join(fmt.Errorf("start %s: %w%s", cmd.Name, err, p.tailForError()), stopErr)
	}
	return p, nil
}

// withTemporary is an environment in which temporary files go to the stage,
// unless it names a folder of its own for them: programs leave some behind, and
// more when they are killed.
func (s *Stage) withTemporary(env []string) ([]string, error) {
	if env == nil {
		env = os.Environ()
	}
	const name = "TMPDIR="
	for _, entry := range env {
		if dir, ok := strings.CutPrefix(entry, name); ok && dir != os.Getenv("TMPDIR") {
			return env, nil
		}
	}
	dir := s.Path("tmp")
	return append(slices.Clone(env), name+dir), os.MkdirAll(dir, 0o755)
}

// Run runs a command to its end and returns its exit code. When the context
// ends first, the command is stopped and the error says so.
func (s *Stage) Run(ctx context.Context, cmd Command) (code int, err error) {
	cmd.Ready = nil
	p, err := s.Start(ctx, cmd)
	if err != nil {
		return -1, err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		return -1, errors.Join(fmt.Errorf("run %s: %w", cmd.Name, context.Cause(ctx)), p.Stop())
	}
	code = p.ExitCode()
	if code < 0 {
		return code, fmt.Errorf("run %s: %s", cmd.Name, p.ending())
	}
	return code, nil
}

// launch starts p from the stage's own thread, unless the stage has stopped.
func (s *Stage) launch(p *Process) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errors.New("the stage has stopped")
	}
	result := make(chan error)
	s.spawn <- func() { result <- p.cmd.Start() }
	if err := <-result; err != nil {
		return err
	}
	s.procs = append(s.procs, p)
	go p.wait()
	return nil
}

// Stop stops every process, the newest first, and removes a temporary folder.
// It may be called again; then it does nothing.
func (s *Stage) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil
	}
	s.stopped = true
	var errs []error
	for i := len(s.procs) - 1; i >= 0; i-- {
		errs = append(errs, s.procs[i].Stop())
	}
	close(s.spawn)
	<-s.ended
	if s.temporary {
		errs = append(errs, os.RemoveAll(s.Dir), s.lock.Close())
	}
	return errors.Join(errs...)
}

// tail is the end of a file: at most n lines of the last 16 KiB.
func tail(file string, n int) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	const most = 16 << 10
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	data := make([]byte, min(info.Size(), most))
	if _, err := f.ReadAt(data, info.Size()-int64(len(data))); err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
