package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// How long a process may take, where a Command does not say.
const (
	defaultReady = time.Minute
	defaultGrace = 10 * time.Second
	pollEvery    = 25 * time.Millisecond
)

// tailLines is how much of a log an error holds.
const tailLines = 25

// Command is a process to start.
type Command struct {
	// Name tells the process apart in errors, and names its log.
	Name string
	// Path is the executable.
	Path string
	Args []string
	// Env is the whole environment; nil means that of this process. Temporary
	// files go to the stage's folder, unless TMPDIR is set to another one than
	// this process's.
	Env []string
	Dir string
	// Stdout and Stderr get the output. Default: the log.
	Stdout, Stderr io.Writer
	// Ready is asked again and again until it answers nil. Without it, a
	// process is ready once it runs.
	Ready func(ctx context.Context) error
	// ReadyWithin bounds that. Default one minute.
	ReadyWithin time.Duration
	// Grace is how long it has to end after SIGTERM. Default 10 seconds.
	Grace time.Duration
}

// Process is a running child.
type Process struct {
	// Name and Log, the file with its output, are for people.
	Name string
	Log  string

	spec Command
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{} // closed when it has ended and err is set
	err  error
}

// newProcess prepares a child with its own process group, so that a Ctrl-C in
// the terminal reaches only its parent, which stops it in good order.
func newProcess(spec Command, logDir string) (*Process, error) {
	if spec.ReadyWithin == 0 {
		spec.ReadyWithin = defaultReady
	}
	if spec.Grace == 0 {
		spec.Grace = defaultGrace
	}
	if err := os.MkdirAll(logDir, 0o755); err != nil {
		return nil, err
	}
	name := filepath.Join(logDir, spec.Name+".log")
	log, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	// Not CommandContext: the context of the start is not that of the life.
	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Env, cmd.Dir = spec.Env, spec.Dir
	cmd.Stdout, cmd.Stderr = log, log
	if spec.Stdout != nil {
		cmd.Stdout = spec.Stdout
	}
	if spec.Stderr != nil {
		cmd.Stderr = spec.Stderr
	}
	cmd.SysProcAttr = childAttributes()
	cmd.WaitDelay = spec.Grace // a child of the child may hold its output open
	return &Process{Name: spec.Name, Log: name, spec: spec, cmd: cmd, log: log, done: make(chan struct{})}, nil
}

// wait collects the child when it ends, and ends what it started itself: that
// has no reason to live on.
func (p *Process) wait() {
	p.err = p.cmd.Wait()
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.log.Close()
	close(p.done)
}

// awaitReady asks Ready until it answers, the process ends, or time is up.
func (p *Process) awaitReady(ctx context.Context) error {
	if p.spec.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.spec.ReadyWithin)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	last := errors.New("not asked yet")
	for {
		select {
		case <-p.done:
			return fmt.Errorf("it ended before it was ready: %s", p.ending())
		case <-ctx.Done():
			return fmt.Errorf("it was not ready within %s: %w; last answer: %w", p.spec.ReadyWithin, context.Cause(ctx), last)
		case <-tick.C:
		}
		asked, done := context.WithTimeout(ctx, 5*time.Second)
		err := p.spec.Ready(asked)
		done()
		if err != nil {
			last = err
			continue
		}
		select {
		case <-p.done: // somebody else answered
			return fmt.Errorf("it ended before it was ready: %s", p.ending())
		default:
			return nil
		}
	}
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode is the exit code of a process that has ended; -1 before that, or
// when a signal ended it.
func (p *Process) ExitCode() int {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	default:
		return -1
	}
}

// Kill ends the process at once and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// Stop asks the process to end, makes it end when it does not within its
// grace, and waits until it is gone. That it had ended already is no error.
func (p *Process) Stop() error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.Name, err)
	}
	select {
	case <-p.done:
	case <-time.After(p.spec.Grace):
		if err := p.Kill(); err != nil {
			return fmt.Errorf("stop %s: %w", p.Name, err)
		}
	}
	return nil
}

func (p *Process) signal(sig syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

func (p *Process) ending() string {
	if p.err == nil {
		return "exit status 0"
	}
	return p.err.Error()
}

// Tail is the end of the process's output.
func (p *Process) Tail() string { return tail(p.Log, tailLines) }

func (p *Process) tailForError() string {
	text := p.Tail()
	if text == "" {
		return fmt.Sprintf("\n(its log %s is empty)", p.Log)
	}
	return fmt.Sprintf("\n--- end of %s\n%s\n---", p.Log, text)
}
