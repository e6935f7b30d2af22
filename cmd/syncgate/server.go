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
			self, err := os.Executable()
			if err == nil {
				self, err = filepath.EvalSymlinks(self)
			}
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			server := filepath.Join(filepath.Dir(self), serverProgram)
			if _, err := os.Stat(server); err != nil {
				return fmt.Errorf("find server: expected the program %s: %w; install it beside %s", serverProgram, err, filepath.Base(self))
			}
			argv := append([]string{serverProgram}, args...)
			if err := syscall.Exec(server, argv, os.Environ()); err != nil { //nolint:gosec // the user's own arguments, to our own program
				return fmt.Errorf("start %s: %w", server, err)
			}
			return nil // not reached: this process is the server now
		},
	}
}
