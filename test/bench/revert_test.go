package bench_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/gitops/git"
	"github.com/syncgate/syncgate/gitops/revert"
	"github.com/syncgate/syncgate/test/githubd"
)

// The repository of the revert's benchmark, and what it must not exceed.
const (
	revertFiles   = 20_000
	revertCommits = 2_000
	revertCalls   = 12
)

// BenchmarkRevert opens the revert pull request of a change in a repository of
// 20,000 files and 2,000 commits, with an empty cache and with a warm one. It
// fails when it needs more than 12 calls of GitHub's API, or fetches more than
// a quarter of what a full clone does.
func BenchmarkRevert(b *testing.B) {
	s := newRevertServer(b)
	clone := s.fullClone(b)
	b.Run("cold", func(b *testing.B) {
		for i := range b.N {
			s.run(b, i, b.TempDir(), clone)
		}
	})
	b.Run("warm", func(b *testing.B) {
		cache := b.TempDir()
		s.run(b, 1_000, cache, clone)
		b.ResetTimer()
		for i := range b.N {
			s.run(b, 1_001+i, cache, clone)
		}
	})
}

// revertServer is a githubd that counts what it sends to git.
type revertServer struct {
	d         *githubd.Server
	url, bare string
	sent      atomic.Int64
	requests  atomic.Int64
}

func newRevertServer(b *testing.B) *revertServer {
	b.Helper()
	root := b.TempDir()
	s := &revertServer{bare: filepath.Join(root, "acme", "fleet.git"), d: githubd.New(githubd.Options{Root: root})}
	s.git(b, nil, "init", "--quiet", "--bare", "--initial-branch=main", s.bare)
	pr, pw := io.Pipe()
	go func() { _ = pw.CloseWithError(writeHistory(pw)) }()
	s.git(b, pr, "-C", s.bare, "fast-import", "--quiet")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, ".git/") {
			s.requests.Add(1)
			w = &countingWriter{w, &s.sent}
		}
		s.d.ServeHTTP(w, r)
	}))
	b.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return c.ResponseWriter.Write(p)
}

// writeHistory is a repository as git fast-import reads it: every commit after
// the first changes one file.
func writeHistory(out io.Writer) error {
	w := bufio.NewWriterSize(out, 1<<20)
	data := func(s string) { fmt.Fprintf(w, "data %d\n%s\n", len(s), s) }
	head := func(n int, message string) {
		fmt.Fprintf(w, "commit refs/heads/main\ncommitter Ada <ada@example.org> %d +0000\n", 1_700_000_000+n*60)
		data(message)
	}
	head(0, "all")
	for i := range revertFiles {
		fmt.Fprintf(w, "M 100644 inline %s\n", revertPath(i))
		data(revertContent(i, 0))
	}
	for n := 1; n < revertCommits; n++ {
		i := n * 7919 % revertFiles
		head(n, fmt.Sprint("change ", n))
		fmt.Fprintf(w, "M 100644 inline %s\n", revertPath(i))
		data(revertContent(i, n))
	}
	return w.Flush()
}

func revertPath(i int) string { return fmt.Sprintf("apps/a%03d/c%02d/f%d.yaml", i/100, i/10%10, i%10) }

func revertContent(i, rev int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: app-%d\nrevision: %d\n", i, rev)
	for j := range 40 {
		fmt.Fprintf(&b, "setting%d: value-%d\n", j, (i*31+j*17)%9973)
	}
	return b.String()
}

func (s *revertServer) git(b *testing.B, in io.Reader, args ...string) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "git", args...)
	cmd.Stdin = in
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("git %s: %v: %s", args[0], err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// fullClone is how many bytes a clone of everything brings.
func (s *revertServer) fullClone(b *testing.B) int64 {
	b.Helper()
	s.sent.Store(0)
	start := time.Now()
	s.git(b, nil, "clone", "--quiet", "--bare", s.url+"/acme/fleet.git", filepath.Join(b.TempDir(), "full.git"))
	n := s.sent.Load()
	b.Logf("a full clone brings %d bytes in %s", n, time.Since(start).Round(time.Millisecond))
	return n
}

// run reverts the n-th last commit, of a cache that is empty or not.
func (s *revertServer) run(b *testing.B, n int, cache string, clone int64) {
	b.Helper()
	ctx := b.Context()
	failing := s.git(b, nil, "-C", s.bare, "rev-parse", fmt.Sprintf("main~%d", 20+n%500))
	good := s.git(b, nil, "-C", s.bare, "rev-parse", failing+"~3")
	s.d.Calls()
	s.sent.Store(0)
	s.requests.Store(0)
	start := time.Now()

	tok := func(context.Context) (string, error) { return "t", nil }
	repo, err := git.Open(ctx, git.Options{URL: s.url + "/acme/fleet.git", Dir: cache, Token: tok})
	if err != nil {
		b.Fatal(err)
	}
	defer repo.Close()
	hub, err := forge.NewGitHub(forge.GitHubOptions{BaseURL: s.url, Owner: "acme", Repo: "fleet", Token: tok})
	if err != nil {
		b.Fatal(err)
	}
	out, err := revert.New(repo, hub, revert.Options{}).Revert(ctx, gitops.RevertRequest{
		Gate: fmt.Sprint("bench-", n), Cluster: "eu", Failing: failing, LastGood: good, Base: "main",
		Guarded: func(p string) bool { return strings.HasPrefix(p, "apps/") },
	})
	took := time.Since(start)
	if err != nil || out.Action != gitops.PullRequest {
		b.Fatalf("outcome %+v, %v", out, err)
	}
	calls := len(s.d.Calls())
	if calls > revertCalls {
		b.Errorf("%d calls of GitHub's API, expected at most %d", calls, revertCalls)
	}
	if sent := s.sent.Load(); sent > clone/4 {
		b.Errorf("%d bytes fetched, expected at most a quarter of a clone's %d", sent, clone)
	}
	b.ReportMetric(float64(calls), "github-calls/op")
	b.ReportMetric(float64(s.sent.Load()), "fetched-B/op")
	b.ReportMetric(float64(s.requests.Load()), "git-requests/op")
	b.ReportMetric(100*float64(s.sent.Load())/float64(clone), "%-of-clone")
	b.ReportMetric(took.Seconds(), "s/revert")
}
