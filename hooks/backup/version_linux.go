package backup

import (
	"fmt"
	"io/fs"
	"syscall"
)

// fileVersion tells a file from another one of the same name, size and time:
// no copy can set the change time.
func fileVersion(info fs.FileInfo) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("inode %d changed %d.%09d", s.Ino, s.Ctim.Sec, s.Ctim.Nsec)
	}
	return ""
}
