// Command get makes sure that the tools named as arguments are there, building
// them where needed, and prints the path of each on a line of its own. What it
// does meanwhile is told on stderr.
//
//	go run ./test/tools/get etcd kube-apiserver
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/syncgate/syncgate/test/tools"
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: get TOOL...; there are", strings.Join(tools.Names(), ", "))
		return 2
	}
	for _, name := range os.Args[1:] {
		path, err := tools.Path(ctx, name, os.Stderr)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(path)
	}
	return 0
}
