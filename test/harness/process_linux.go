package harness

import "syscall"

// childAttributes give a child its own process group, and make the kernel kill
// it when its parent is gone.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
