package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Become replaces this process by a program that lies beside it.
func Become(program string, args []string) error {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	path := filepath.Join(filepath.Dir(self), program)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("find program: expected the program %s: %w; install it beside %s", program, err, filepath.Base(self))
	}
	if err := syscall.Exec(path, append([]string{program}, args...), os.Environ()); err != nil {
		return fmt.Errorf("start %s: %w", path, err)
	}
	return nil // not reached: this process is the other program now
}
