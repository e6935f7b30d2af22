package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Beside is the path of a program that lies beside this one.
func Beside(program string) (string, error) {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	path := filepath.Join(filepath.Dir(self), program)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("find program %s: expected it beside %s: %w; install all programs of Syncgate into one folder", program, filepath.Base(self), err)
	}
	return path, nil
}

// Become replaces this process by a program that lies beside it. Call it from the main
// goroutine, and have that keep the thread it starts on: Linux ends a process with its
// parent where that was asked for (PR_SET_PDEATHSIG), and forgets so when another thread
// than the first becomes the other program.
func Become(program string, args []string) error {
	path, err := Beside(program)
	if err != nil {
		return err
	}
	if err := syscall.Exec(path, append([]string{program}, args...), os.Environ()); err != nil {
		return fmt.Errorf("start %s: %w", path, err)
	}
	return nil // not reached: this process is the other program now
}
