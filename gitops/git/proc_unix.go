//go:build unix

package git

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup puts the process and its children into a group of their own, which
// is killed as one: git's transports are children of git.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// tryLock takes the lock of an open file if nobody has it. The lock goes with
// the open file: children that inherit it keep it.
func tryLock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
