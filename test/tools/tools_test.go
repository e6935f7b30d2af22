package tools

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/mod/modfile"
)

// hello makes a module with one program and its builder.
func hello(t *testing.T, source string) builder {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string]string{"go.mod": "module example.com/hello\n\ngo 1.26\n", "main.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return builder{
		name: "hello", tool: tool{pkg: "."}, version: "v1.2.3",
		dir: dir, path: filepath.Join(dir, "cache", "hello@v1.2.3"), log: io.Discard,
	}
}

const program = "package main\n\nfunc main() { println(\"hello\") }\n"

func TestBuild(t *testing.T) {
	b := hello(t, program)
	var log bytes.Buffer
	b.log = &log
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), b.path).CombinedOutput()
	if err != nil || string(out) != "hello\n" {
		t.Errorf("the program that was built: found %q, %v", out, err)
	}
	for _, want := range []string{"hello v1.2.3", "building", "built"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("progress: expected %q in it, found %s", want, log.String())
		}
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(b.path), ".building-*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBuildSaysWhatIsWrong(t *testing.T) {
	b := hello(t, "package main\n\nfunc main() { undefinedThing() }\n")
	err := b.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "undefined: undefinedThing") {
		t.Errorf("expected the compiler's message, found %v", err)
	}
	if executable(b.path) {
		t.Error("there is a program although the build failed")
	}
}

// Several that want one tool at once get it, built once.
func TestBuildOnce(t *testing.T) {
	b := hello(t, program)
	var log lockedBuffer
	b.log = &log
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := b.run(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := strings.Count(log.String(), ": built,"); n != 1 {
		t.Errorf("builds: expected 1, found %d\n%s", n, log.String())
	}
}

func TestBuildGivesUpWaiting(t *testing.T) {
	b := hello(t, program)
	if err := os.MkdirAll(filepath.Dir(b.path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(filepath.Dir(b.path), ".lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if err := b.run(ctx); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("expected the wait to end, found %v", err)
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Every tool of the table can be built: its module names a version, and lists
// the package as a tool.
func TestTable(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	for name, tool := range table() {
		file := filepath.Join(root, "test", "tools", tool.family, "go.mod")
		if _, err := version(file, tool.module); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := modfile.Parse(file, data, nil)
		if err != nil {
			t.Fatal(err)
		}
		listed := false
		for _, l := range parsed.Tool {
			listed = listed || l.Path == tool.pkg
		}
		if !listed {
			t.Errorf("%s: expected a tool line for %s in %s", name, tool.pkg, file)
		}
	}
}

func TestAssetsComeFirst(t *testing.T) {
	dir := t.TempDir()
	want := filepath.Join(dir, "etcd")
	if err := os.WriteFile(want, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv(assetsVariable, dir)
	got, err := Path(t.Context(), "etcd", io.Discard)
	if err != nil || got != want {
		t.Errorf("etcd: expected %s, found %s, %v", want, got, err)
	}
	var log bytes.Buffer
	if path := asset("kubectl", &log); path != "" || !strings.Contains(log.String(), "has no executable kubectl") {
		t.Errorf("kubectl is not there: found %q and %q", path, log.String())
	}
}

func TestUnknownToolIsNamed(t *testing.T) {
	_, err := Path(t.Context(), "kubelet", io.Discard)
	if err == nil || !strings.Contains(err.Error(), `"kubelet"`) || !strings.Contains(err.Error(), "kube-apiserver") {
		t.Errorf("expected an error with the tools there are, found %v", err)
	}
}

func TestKubernetesIsStamped(t *testing.T) {
	b := builder{tool: table()["kube-apiserver"], version: "v1.34.4"}
	got := b.ldflags()
	for _, want := range []string{"-X k8s.io/component-base/version.gitVersion=v1.34.4", "-X k8s.io/client-go/pkg/version.gitMinor=34"} {
		if !strings.Contains(got, want) {
			t.Errorf("ldflags: expected %q in %s", want, got)
		}
	}
}

func TestProgressTellsPackagesFromProblems(t *testing.T) {
	p := &progress{log: io.Discard}
	for _, part := range []string{"internal/foo\nexample.com/b", "ar\n# example.com/bar\n", "./x.go:1:2: undefined: y\n", "last"} {
		_, _ = p.Write([]byte(part))
	}
	if got := p.count.Load(); got != 2 {
		t.Errorf("packages: expected 2, found %d", got)
	}
	if got, want := p.problems(), "# example.com/bar\n./x.go:1:2: undefined: y\nlast"; got != want {
		t.Errorf("problems: expected %q, found %q", want, got)
	}
}
