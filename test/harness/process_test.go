package harness_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/syncgate/syncgate/test/harness"
)

func newStage(t *testing.T) *harness.Stage {
	t.Helper()
	stage, err := harness.NewStage(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stage.Stop(); err != nil {
			t.Error(err)
		}
	})
	return stage
}

func role(name string, args ...string) harness.Command {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return harness.Command{Name: name, Path: self, Args: args, Env: append(os.Environ(), roleVariable+"="+name)}
}

func gone(pid int) error {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if len(stat) == 0 {
		return nil // no such process
	}
	// After the name, which is in brackets, comes the state. A zombie whose
	// new parent does not collect it is as gone as it gets.
	_, rest, _ := strings.Cut(string(stat), ") ")
	if strings.HasPrefix(rest, "Z") || strings.HasPrefix(rest, "X") {
		return nil
	}
	return fmt.Errorf("process %d: expected gone, found %s", pid, stat)
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestStartWaitsUntilReady(t *testing.T) {
	stage := newStage(t)
	address := freeAddress(t)
	cmd := role("server", address)
	cmd.Ready = func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		return res.Body.Close()
	}
	p, err := stage.Start(bounded(t), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := stage.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := gone(p.PID()); err != nil {
		t.Error(err)
	}
	if got := p.Tail(); got != "serving" {
		t.Errorf("tail of the log: found %q", got)
	}
	if _, err := stage.Start(bounded(t), role("failing")); err == nil {
		t.Error("a stage that has stopped started a process")
	}
}

func TestRunGivesOutputAndExitCode(t *testing.T) {
	stage := newStage(t)
	var out strings.Builder
	cmd := role("failing")
	cmd.Stdout = &out
	code, err := stage.Run(bounded(t), cmd)
	if err != nil || code != 4 || out.String() != "cannot read /etc/widget.conf\n" {
		t.Errorf("expected exit code 4 and its output, found %d, %v and %q", code, err, out.String())
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	slow := role("stubborn")
	slow.Grace = 50 * time.Millisecond
	if _, err := stage.Run(ctx, slow); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("a run that is canceled: found %v", err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestStartSaysWhyItFailed(t *testing.T) {
	never := func(context.Context) error { return errors.New("nobody home") }
	failing := role("failing")
	failing.Ready = never
	slow := role("stubborn")
	slow.Ready, slow.ReadyWithin, slow.Grace = never, 300*time.Millisecond, 50*time.Millisecond
	for name, tc := range map[string]struct {
		cmd  harness.Command
		want []string
	}{
		"it ends":             {failing, []string{"start failing", "exit status 4", "cannot read /etc/widget.conf", "failing.log"}},
		"it is never ready":   {slow, []string{"start stubborn", "not ready within 300ms", "nobody home"}},
		"there is no program": {harness.Command{Name: "nothing", Path: "/does/not/exist"}, []string{"start nothing", "no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newStage(t).Start(bounded(t), tc.cmd)
			if err == nil {
				t.Fatal("expected an error")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error: expected %q in it, found: %v", want, err)
				}
			}
		})
	}
}

func TestStopEndsWhatDoesNotListen(t *testing.T) {
	stage := newStage(t)
	cmd := role("stubborn")
	cmd.Grace = 100 * time.Millisecond
	p, err := stage.Start(bounded(t), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := harness.Eventually(bounded(t), func(context.Context) error {
		if p.Tail() != "ready" {
			return errors.New("it does not ignore SIGTERM yet")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := gone(p.PID()); err != nil {
		t.Error(err)
	}
	if p.ExitCode() != -1 {
		t.Errorf("exit code of a killed process: expected -1, found %d", p.ExitCode())
	}
}

// Whatever ends the owner, its children end as well, and the next stage
// removes the folder it left.
func TestNothingOutlivesItsOwner(t *testing.T) {
	for _, name := range []string{"owner-killed", "owner-panics", "owner-exits"} {
		t.Run(name, func(t *testing.T) {
			tmp := t.TempDir()
			owner := exec.CommandContext(bounded(t), role(name).Path)
			owner.Env = append(os.Environ(), roleVariable+"="+name, "TMPDIR="+tmp)
			out, err := owner.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := owner.Start(); err != nil {
				t.Fatal(err)
			}
			s := bufio.NewScanner(out)
			s.Scan()
			pid, err := strconv.Atoi(s.Text())
			if err != nil {
				t.Fatalf("process id of the child: found %q", s.Text())
			}
			if name == "owner-killed" {
				if err := gone(pid); err == nil {
					t.Error("the child was gone before its owner was killed")
				}
				if err := owner.Process.Signal(syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			_ = owner.Wait()
			if err := harness.Eventually(bounded(t), func(context.Context) error { return gone(pid) }); err != nil {
				t.Error(err)
			}
			sweepLeftovers(t, tmp)
		})
	}
}

func sweepLeftovers(t *testing.T, tmp string) {
	t.Helper()
	left, _ := filepath.Glob(filepath.Join(tmp, "*", ".in-use"))
	if len(left) != 1 {
		t.Fatalf("folders of the owner: expected 1, found %v", left)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(left[0], old, old); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", tmp)
	stage, err := harness.NewStage("")
	if err != nil {
		t.Fatal(err)
	}
	if err := stage.Stop(); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(tmp); len(entries) != 0 {
		t.Errorf("temporary folders: expected none, found %v", entries)
	}
}

func TestSweepLeavesOthersAlone(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	first, err := harness.NewStage("")
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(first.Path(".in-use"), old, old); err != nil {
		t.Fatal(err)
	}
	second, err := harness.NewStage("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(first.Dir); err != nil {
		t.Errorf("a folder in use was removed: %v", err)
	}
	if err := errors.Join(second.Stop(), first.Stop()); err != nil {
		t.Error(err)
	}
}

func TestTemporaryFilesGoToTheStage(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	other := t.TempDir()
	path := "PATH=" + os.Getenv("PATH")
	for _, tt := range []struct {
		name string
		env  []string
		want func(*harness.Stage) string
	}{
		{"the environment of the test", nil, func(s *harness.Stage) string { return s.Path("tmp") }},
		{"its temporary folder", append(os.Environ(), "A=b"), func(s *harness.Stage) string { return s.Path("tmp") }},
		{"none", []string{path}, func(s *harness.Stage) string { return s.Path("tmp") }},
		{"another folder", []string{path, "TMPDIR=" + other}, func(*harness.Stage) string { return other }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stage := newStage(t)
			var out strings.Builder
			code, err := stage.Run(bounded(t), harness.Command{Name: "sh", Path: "/bin/sh", Env: tt.env, Stdout: &out, Args: []string{"-ec", `mktemp`}})
			if err != nil || code != 0 {
				t.Fatalf("exit code %d, %v", code, err)
			}
			if got, want := filepath.Dir(strings.TrimSpace(out.String())), tt.want(stage); got != want {
				t.Errorf("temporary files: expected in %s, found in %s", want, got)
			}
		})
	}
}
