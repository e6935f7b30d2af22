package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
)

const serverProgram = "syncgate-server"

// newServerCommand is "syncgate server": it becomes syncgate-server, a program
// of its own so that this one starts fast.
func newServerCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "server [flags of " + serverProgram + "]",
		Short: "Run the gate server",
		Long: `Run the gate server: the program ` + serverProgram + `, which lies beside this one.
Everything after "server" is for it.`,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			return become(serverProgram, args)
		},
	}
}

// become replaces this process by a program that lies beside it.
func become(program string, args []string) error {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	path := filepath.Join(filepath.Dir(self), program)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("find server: expected the program %s: %w; install it beside %s", program, err, filepath.Base(self))
	}
	if err := syscall.Exec(path, append([]string{program}, args...), os.Environ()); err != nil {
		return fmt.Errorf("start %s: %w", path, err)
	}
	return nil // not reached: this process is the server now
}
