// Command syncgate-cmp is the Argo CD config-management plugin that plugin.yaml
// names, a program of its own because Helm's engine costs every start: nothing else
// that people and hook Jobs call needs it.
package main

import (
	"os"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/cmd/internal/plugincmd"
)

func main() { os.Exit(cli.Run(plugincmd.New(), os.Args[1:], os.Stdout, os.Stderr)) }
