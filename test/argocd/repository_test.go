package argocd

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/syncgate/syncgate/test/harness"
)

// repository is what the Applications of these tests are made of: the examples
// and testdata/repository.txtar. On the branch "drift" the values of the example
// for Mattermost drift.
type repository struct {
	url, good, drift string
	server           *harness.GitServer
}

func serveRepository(t *testing.T) repository {
	t.Helper()
	tree := map[string]string{}
	files, err := harness.ReadFolder(filepath.Join("..", "..", "examples"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		tree["examples/"+name] = text
	}
	parsed, err := txtar.ParseFile(filepath.Join("testdata", "repository.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range parsed.Files {
		tree[f.Name] = string(f.Data)
	}
	root := t.TempDir()
	dir := filepath.Join(root, "gitops.git")
	if err := harness.InitBare(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	server, err := harness.StartGit(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noError(t, server.Stop()) })
	r := repository{url: server.URL + "/gitops.git", server: server}
	if r.good, err = harness.CommitTo(t.Context(), dir, harness.Commit{Branch: "main", Message: "Install", Files: tree}); err != nil {
		t.Fatal(err)
	}
	file := "examples/mattermost-operator/clusters/eu/values.yaml"
	changed := strings.Replace(tree[file], "replicas: 3", "replicas: 5", 1)
	if changed == tree[file] {
		t.Fatalf("no replicas in %s", file)
	}
	if r.drift, err = harness.CommitTo(t.Context(), dir, harness.Commit{Branch: "drift", From: r.good, Message: "Drift", Files: map[string]string{file: changed}}); err != nil {
		t.Fatal(err)
	}
	return r
}
