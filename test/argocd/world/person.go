package world

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/syncgate/syncgate/test/harness"
)

// OnCall is the ServiceAccount, one in each site's namespace, that the chart's
// role lets override the gates of its cluster.
const OnCall = "oncall"

// Ran is what came of a program.
type Ran struct {
	Code           int
	Stdout, Stderr string
}

// Syncgate runs the command-line tool against the gate server, as the
// ServiceAccount of a site's namespace on EU, with a token that is made for it.
func (s *Site) Syncgate(ctx context.Context, account string, args ...string) (Ran, error) {
	if err := s.w.EU.ServiceAccount(ctx, s.Name, account); err != nil {
		return Ran{}, err
	}
	token, err := s.w.EU.Token(ctx, s.Name, account, "syncgate", 0)
	if err != nil {
		return Ran{}, err
	}
	file := s.w.stage.Path("tokens", s.Name+"-"+account)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return Ran{}, err
	}
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		return Ran{}, err
	}
	var stdout, stderr bytes.Buffer
	code, err := s.w.stage.Run(ctx, harness.Command{
		Name: "syncgate-" + s.Name, Path: filepath.Join(s.w.programs, "syncgate"), Env: environment(), Stdout: &stdout, Stderr: &stderr,
		Args: append(args, "--server", s.w.Server.URL, "--ca-file", s.w.Server.CAFile, "--token-file", file),
	})
	return Ran{Code: code, Stdout: stdout.String(), Stderr: stderr.String()}, err
}

// Overwrite writes an operation into the Application while another one runs, by
// the API server and past Argo CD's own, which would refuse it. With forget it
// takes the state of the running one out as well.
func (a *App) Overwrite(ctx context.Context, sync map[string]any, forget bool) error {
	patch := map[string]any{"operation": map[string]any{"sync": sync, "initiatedBy": map[string]any{"username": Person}}}
	if forget {
		patch["status"] = map[string]any{"operationState": nil}
	}
	text, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("overwrite the operation of %s: %w", a.Name, err)
	}
	return a.Patch(ctx, string(text))
}
