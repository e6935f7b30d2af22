package tools

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/mod/semver"
)

// heartbeat is how often a build says how far it is.
const heartbeat = 5 * time.Second

// builder builds one tool into place.
type builder struct {
	name    string
	tool    tool
	version string
	dir     string // folder of the family's go.mod
	path    string // where the executable goes
	log     io.Writer
}

// run builds under the lock of the cache folder and renames the result into
// place, so that nobody ever sees half an executable.
func (b builder) run(ctx context.Context) error {
	cache := filepath.Dir(b.path)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	unlock, err := b.lock(ctx, filepath.Join(cache, ".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if executable(b.path) {
		return nil // whoever held the lock built it
	}
	tmp, err := os.MkdirTemp(cache, ".building-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	out := filepath.Join(tmp, b.name)
	if err := b.compile(ctx, out); err != nil {
		return err
	}
	return os.Rename(out, b.path)
}

// lock takes the lock of a file; it polls, because flock knows no context.
func (b builder) lock(ctx context.Context, file string) (func(), error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for told := false; ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", file, err)
		}
		if !told {
			told = true
			_, _ = fmt.Fprintf(b.log, "%s: waiting for another build of tools to end\n", b.name)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: another build of tools holds it: %w", file, context.Cause(ctx))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// compile runs go build and tells its progress.
func (b builder) compile(ctx context.Context, out string) error {
	args := []string{"build", "-v", "-trimpath", "-ldflags", b.ldflags(), "-o", out}
	if b.tool.tags != "" {
		args = append(args, "-tags", b.tool.tags)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, b.tool.pkg)...)
	cmd.Dir = b.dir
	// The same flags for every tool and for the product share one build
	// cache; the caller's (-race, -cover) would compile everything anew.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off", "GOOS=", "GOARCH=")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second

	p := &progress{log: b.log, name: b.name + " " + b.version, start: time.Now()}
	cmd.Stdout, cmd.Stderr = p, p
	stop := p.beat()
	err := cmd.Run()
	stop()
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("go %s in %s: %w\n%s", strings.Join(args[:2], " "), b.dir, err, p.problems())
	}
	p.say("built, %d packages compiled", p.count.Load())
	return nil
}

// ldflags strip symbols, and for Kubernetes set the version that the API
// server reports; without it clients see v0.0.0.
func (b builder) ldflags() string {
	flags := []string{"-s", "-w"}
	if len(b.tool.stamp) == 0 {
		return strings.Join(flags, " ")
	}
	major, minor, _ := strings.Cut(strings.TrimPrefix(semver.MajorMinor(b.version), "v"), ".")
	for _, pkg := range b.tool.stamp {
		for _, set := range []string{
			"gitVersion=" + b.version, "gitMajor=" + major, "gitMinor=" + minor,
			"gitTreeState=clean", "gitCommit=" + strings.Repeat("0", 40), "buildDate=1970-01-01T00:00:00Z",
		} {
			flags = append(flags, "-X", pkg+"."+set)
		}
	}
	return strings.Join(flags, " ")
}

// progress reads what go build -v prints, a line for each package that it
// compiles, and keeps whatever else it says for the error.
type progress struct {
	log   io.Writer
	name  string
	start time.Time
	count atomic.Int64

	mu   sync.Mutex
	part string
	tail []string
}

// Write takes a part of the output.
func (p *progress) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := bufio.NewScanner(strings.NewReader(p.part + string(data)))
	s.Buffer(nil, 1<<20)
	p.part = ""
	complete := len(data) > 0 && data[len(data)-1] == '\n'
	var lines []string
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	if !complete && len(lines) > 0 {
		p.part, lines = lines[len(lines)-1], lines[:len(lines)-1]
	}
	for _, line := range lines {
		if isPackage(line) {
			p.count.Add(1)
			continue
		}
		if p.tail = append(p.tail, line); len(p.tail) > 40 {
			p.tail = p.tail[1:]
		}
	}
	return len(data), nil
}

func (p *progress) problems() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(append(p.tail, p.part), "\n")
}

// isPackage tells an import path from a message.
func isPackage(line string) bool {
	return line != "" && !strings.ContainsAny(line, " :#\t")
}

// beat says now and then how far the build is, until stop is called.
func (p *progress) beat() (stop func()) {
	p.say("building from its Go module; a first build of a large one takes minutes")
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if n := p.count.Load(); n > 0 {
					p.say("%d packages compiled", n)
				} else {
					p.say("fetching modules and looking at what is compiled already")
				}
			}
		}
	}()
	return func() { close(done); <-ended }
}

func (p *progress) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.log, "%s: %3.0f s: %s\n", p.name, time.Since(p.start).Seconds(), fmt.Sprintf(format, args...))
}
