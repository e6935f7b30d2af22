package harness_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/syncgate/syncgate/test/harness"
)

// roleVariable has the test binary play another process.
const roleVariable = "SYNCGATE_HARNESS_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	os.Exit(harness.Main(m))
}

// play is what the child processes of the tests do.
func play(role string) int {
	switch role {
	case "server": // answers on the address it is given
		_, _ = fmt.Println("serving")
		err := http.ListenAndServe(os.Args[1], http.NotFoundHandler())
		_, _ = fmt.Println(err)
		return 3
	case "stubborn": // does not end when asked to
		signal.Ignore(syscall.SIGTERM)
		_, _ = fmt.Println("ready")
		select {}
	case "failing":
		_, _ = fmt.Println("cannot read /etc/widget.conf")
		return 4
	case "owner-killed", "owner-panics", "owner-exits":
		return own(role)
	}
	return 5
}

// own starts a child of its own, says its process id and ends badly.
func own(role string) int {
	stage, err := harness.NewStage("")
	if err != nil {
		_, _ = fmt.Println(err)
		return 1
	}
	p, err := stage.Start(context.Background(), harness.Command{
		Name: "child", Path: os.Args[0], Env: []string{roleVariable + "=stubborn"},
	})
	if err != nil {
		_, _ = fmt.Println(err)
		return 1
	}
	_, _ = fmt.Println(p.PID())
	switch role {
	case "owner-panics":
		panic("on purpose")
	case "owner-exits":
		return 0
	}
	select {}
}
