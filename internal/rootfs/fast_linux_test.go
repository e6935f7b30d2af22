package rootfs

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFastIsUsed: the slow way would pass every other test but the pipe's.
func TestFastIsUsed(t *testing.T) {
	if _, err := unix.Openat2(unix.AT_FDCWD, ".", &unix.OpenHow{Flags: unix.O_PATH}); errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		t.Skip("the kernel does not have openat2, or it is forbidden here:", err)
	}
	r, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, ok := r.FS().(*beneath); !ok {
		t.Errorf("it is %T", r.FS())
	}
}
