//go:build !linux

package harness

import "syscall"

// childAttributes give a child its own process group. Only Linux can tie its
// life to that of its parent: elsewhere a SIGKILL of the parent leaves it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
