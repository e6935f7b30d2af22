package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/hooks/backup"
	"github.com/syncgate/syncgate/hooks/config"
)

const kubeconfig = `{apiVersion: v1, kind: Config, current-context: eu, clusters: [{name: eu, cluster: {server: "http://127.0.0.1:1"}}],
  users: [{name: eu, user: {token: hunter2}}], contexts: [{name: eu, context: {cluster: eu, user: eu}}]}`

// write writes a configuration that can start, with old replaced.
func write(t *testing.T, old, replacement string) string {
	t.Helper()
	dir := t.TempDir()
	text := `listen: 127.0.0.1:0
insecure: true
database: {path: gate.db}
cacheDir: cache
repositories:
  - name: fleet
    url: http://127.0.0.1:1/acme/fleet.git
    forge: {plain: {dir: pulls}}
clusters:
  - name: eu
    kubeconfig: {path: kubeconfig}
    hookSubjects: [chat/hook]
`
	if old != "" && !strings.Contains(text, old) {
		t.Fatalf("%q is not in the configuration", old)
	}
	for name, content := range map[string]string{"config.yaml": strings.Replace(text, old, replacement, 1), "kubeconfig": kubeconfig} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "config.yaml")
}

func TestExitCodes(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	check := "checks: {httpAllowHosts: []}\n"
	for _, tt := range []struct {
		name string
		args []string
		code int
		out  string // on either output
	}{
		{"help", []string{"--help"}, exitOK, "Exit codes: 0"},
		{"version", []string{"--version"}, exitOK, "devel"},
		{"no flag", nil, exitStart, `"config" not set`},
		{"unknown flag", []string{"--listen", "x"}, exitStart, "unknown flag"},
		{"argument", []string{"--config", "x", "y"}, exitStart, "unknown command"},
		{"no file", []string{"--config", "/nowhere/config.yaml"}, exitStart, "no such file"},
		{"good file", []string{"--check", "--config", write(t, "", check)}, exitOK, ""},
		{"mistake", []string{"--check", "--config", write(t, "insecure", "insecrue")}, exitStart, `config.yaml:2:1: unknown key "insecrue"`},
		{"address in use", []string{"--config", write(t, "127.0.0.1:0", taken.Addr().String())}, exitStart, "address already in use"},
		{"no kubeconfig", []string{"--config", write(t, "kubeconfig}", "other}")}, exitStart, "cluster eu"},
		{"no certificate", []string{"--config", write(t, "insecure: true", "tls: {certFile: a, keyFile: b}")}, exitStart, "read certificate"},
		{"database is a folder", []string{"--config", write(t, "gate.db", ".")}, exitStart, "open database"},
		{"minimum that cannot be made", []string{"--config", write(t, "clusters:", "minimums: {preSync: [{name: site, http: {url: \"ftp://x\"}}]}\nclusters:")}, exitStart, `required preSync check "site"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), tt.args, &stdout, &stderr)
			out := stdout.String() + stderr.String()
			if code != tt.code || !strings.Contains(out, tt.out) {
				t.Errorf("exit %d, want %d and %q:\n%s", code, tt.code, tt.out, out)
			}
			if strings.Contains(out, "hunter2") {
				t.Errorf("a secret is shown:\n%s", out)
			}
		})
	}
}

// lines is a log that tells the address it serves on.
type lines struct {
	bytes.Buffer
	address chan string
	pages   chan string
}

func (l *lines) Write(p []byte) (int, error) {
	var line struct{ Msg, Address string }
	if json.Unmarshal(p, &line) == nil {
		switch line.Msg {
		case "serving":
			l.address <- line.Address
		case "serving pages":
			l.pages <- line.Address
		}
	}
	return l.Buffer.Write(p)
}

// shows asks for the list of Runs, by a name that is the page's and by one that
// is not.
func shows(t *testing.T, address string) {
	t.Helper()
	for host, want := range map[string]int{address: http.StatusOK, "evil.example": http.StatusMisdirectedRequest} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != want || strings.Contains(string(text), "No run matches") != (want == http.StatusOK) {
			t.Errorf("the page as %s: %d, %v: %s", host, res.StatusCode, err, text)
		}
	}
}

func TestServesAndStops(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	config := write(t, "insecure: true\n", "insecure: true\npage: {listen: 127.0.0.1:0}\n")
	log := &lines{address: make(chan string, 1), pages: make(chan string, 1)}
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"--config", config}, &bytes.Buffer{}, log) }()
	select {
	case address := <-log.address:
		res, err := http.Get("http://" + address + "/readyz")
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("readyz: %v %v", res, err)
		}
		if err == nil {
			res.Body.Close()
		}
		pages := <-log.pages
		shows(t, pages)
		// A second server on the same database does not start.
		var stderr bytes.Buffer
		if c := run(t.Context(), []string{"--config", config}, &bytes.Buffer{}, &stderr); c != exitStart || !strings.Contains(stderr.String(), "another server") {
			t.Errorf("second server: exit %d: %s", c, stderr.String())
		}
	case c := <-code:
		t.Fatalf("exit %d: %s", c, log.String())
	}
	cancel()
	if c := <-code; c != exitOK {
		t.Errorf("exit %d, want 0: %s", c, log.String())
	}
	for line := range strings.Lines(log.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON in the log: %s", line)
		}
	}
	if strings.Contains(log.String(), "hunter2") {
		t.Error("a secret is in the log")
	}
}

func TestCredentialsFromTheEnvironment(t *testing.T) {
	env := map[string]string{"SYNCGATE_STORE_OFF_SITE_2_ACCESS_KEY": "a", "SYNCGATE_STORE_OFF_SITE_2_SECRET_KEY": "s"}
	in := []backup.StoreOptions{{Name: "off-site.2", S3: &backup.S3Options{Bucket: "b"}}, {Name: "folder", Folder: &backup.FolderOptions{Path: "/x"}}}
	got := withCredentials(in, func(k string) string { return env[k] })
	want := []backup.StoreOptions{{Name: "off-site.2", S3: &backup.S3Options{Bucket: "b", AccessKey: "a", SecretKey: "s"}}, in[1]}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if in[0].S3.AccessKey != "" {
		t.Error("the configuration itself was changed")
	}
}

// A pull request does not link to a page that nobody serves.
func TestNoLinksWithoutPages(t *testing.T) {
	for listen, want := range map[string]string{"": "", "127.0.0.1:8081": "https://gate.example"} {
		if got := linked(&config.Config{PublicURL: "https://gate.example", Page: config.Page{Listen: listen}}); got != want {
			t.Errorf("page.listen %q: links to %q, want %q", listen, got, want)
		}
	}
}
