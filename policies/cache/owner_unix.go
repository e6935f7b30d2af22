//go:build unix

package cache

import (
	"io/fs"
	"os"
	"syscall"
)

// foreign says whose a folder is, and whether that is neither this user nor root.
func foreign(info fs.FileInfo) (owner uint32, other bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return stat.Uid, stat.Uid != 0 && int(stat.Uid) != os.Geteuid()
}
