// Command syncgate is the command-line tool of Syncgate, for laptops, CI and hook
// Jobs. By itself it only gives the last answer of `syncgate validate` again, which
// needs next to nothing of what evaluates Gates; for all else it becomes the program
// syncgate-cli.
package main

import (
	"os"
	"runtime"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/cmd/internal/validate"
)

func main() {
	runtime.LockOSThread() // see cli.Become
	cli.TuneMemory(os.Getenv)
	os.Exit(validate.Main(os.Args[1:], os.Stdout, os.Stderr))
}
