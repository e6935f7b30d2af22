package product_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/syncgate/syncgate/test/product"
)

func TestMain(m *testing.M) { os.Exit(product.Main(m)) }

// TestProgramsEndWithTheirParent: syncgate becomes syncgate-cli and that another
// program, and what was asked of the kernel for the first holds for the last. Here
// sleep lies where the server does, and the parent is a thread.
func TestProgramsEndWithTheirParent(t *testing.T) {
	dir := t.TempDir()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	programs := product.Programs(t)
	for name, from := range map[string]string{
		"syncgate": filepath.Join(programs, "syncgate"), "syncgate-cli": filepath.Join(programs, "syncgate-cli"), "syncgate-server": sleep,
	} {
		data, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "syncgate"), "server", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, end := make(chan error), make(chan struct{})
	var start func()
	start = func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the function
		if syscall.Gettid() == os.Getpid() {
			go start() // on another one: the first thread of a Go program never ends
		} else {
			started <- cmd.Start()
		}
		<-end
	}
	go start()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		comm, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/comm")
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(string(comm)) == "syncgate-server" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is still %s", comm)
		}
	}
	close(end)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("it ended with %v, want the signal", err)
		}
	case <-time.After(10 * time.Second):
		_ = cmd.Process.Kill()
		t.Error("it outlived its parent")
	}
}
