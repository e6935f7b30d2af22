package gitops_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/gitops/git"
)

// A token is asked for each call anew, and is in no error and no log.
func TestGitToken(t *testing.T) {
	w := newWorld(t, onGitHub)
	sha := w.src.Commit("one", map[string]string{values: "a\n"})
	var logged bytes.Buffer
	now := "wr0ng-t0ken"
	repo, err := git.Open(t.Context(), git.Options{
		URL: w.url + "/acme/fleet.git", Dir: t.TempDir(), Token: func(context.Context) (string, error) { return now, nil },
		Log: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	_, err = repo.Branch(t.Context(), "main")
	if err == nil || !strings.Contains(err.Error(), "check that the token") || strings.Contains(err.Error(), now) {
		t.Errorf("with a wrong token: %v", err)
	}
	now = token
	if _, err := repo.Tree(t.Context(), sha); err != nil {
		t.Errorf("with the right one: %v", err)
	}
	if logged.Len() == 0 || strings.Contains(logged.String(), token) || strings.Contains(logged.String(), "Basic ") {
		t.Errorf("log: %s", &logged)
	}
}
