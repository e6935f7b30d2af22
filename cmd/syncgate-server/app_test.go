package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/hooks/config"
	"github.com/syncgate/syncgate/hooks/review"
	"github.com/syncgate/syncgate/test/githubd"
	"github.com/syncgate/syncgate/test/gitops/source"
)

// A repository with an App in its configuration is fetched, and reported on,
// with the App's tokens; one on another host is asked for without any.
func TestRepositoryOfAnApp(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	root, dir := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "acme"), 0o755); err != nil {
		t.Fatal(err)
	}
	src := source.New(t, filepath.Join(root, "acme", "fleet.git"))
	head := src.Commit("one", map[string]string{"a": "1\n"})
	hub := httptest.NewServer(githubd.New(githubd.Options{
		Root: root, Tokens: map[string]string{"nobody": "nobody"},
		Apps: []githubd.App{{ID: 7, Key: &key.PublicKey, Installations: map[int64][]string{42: {"acme/fleet"}}}},
	}))
	defer hub.Close()
	keyFile := filepath.Join(dir, "app.pem")
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600); err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(hub.URL, "127.0.0.1", "localhost", 1)
	for name, tt := range map[string]struct {
		clone string
		reads bool
	}{"own host": {hub.URL, true}, "another host": {other, false}} {
		t.Run(name, func(t *testing.T) {
			text := fmt.Sprintf(`insecure: true
database: {path: gate.db}
cacheDir: %s
repositories:
  - name: fleet
    url: %s/acme/fleet.git
    forge: {github: {apiURL: "%s/api/v3/", app: {id: 7, keyFile: %s}}}
clusters: [{name: eu, inCluster: true, hookSubjects: [chat/hook]}]
`, t.TempDir(), tt.clone, hub.URL, keyFile)
			cfg, err := config.Decode([]byte(text), filepath.Join(dir, "config.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			a := &app{log: slog.New(slog.DiscardHandler), reviewed: map[string]review.Repository{}}
			defer func() {
				if err := a.close(); err != nil {
					t.Error(err)
				}
			}()
			repo, err := a.repository(t.Context(), cfg, cfg.Repositories[0])
			if err != nil {
				t.Fatal(err)
			}
			if got, err := repo.Git.Branch(t.Context(), "main"); (err == nil) != tt.reads || tt.reads && got != head {
				t.Errorf("main is %s, %v; to be read: %t", got, err, tt.reads)
			}
			p, err := a.reviewed["fleet"].Reporter.Publish(t.Context(), forge.Report{
				Head: head, Name: "syncgate", Status: forge.Completed, Conclusion: forge.Success, Title: "Everything holds",
			})
			if err != nil || p.As != forge.AsCheckRun {
				t.Errorf("published %+v, %v", p, err)
			}
		})
	}
}
