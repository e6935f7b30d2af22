package harness

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// maxPush bounds what one push may send.
const maxPush = 256 << 20

// GitServer serves the bare repositories of a folder over smart HTTP.
type GitServer struct {
	// URL is the server's address; a repository is at URL/<name>.git.
	URL string
	// Root is the folder of the repositories.
	Root string

	server *http.Server
}

// GitOptions say what is served to whom.
type GitOptions struct {
	// Root is the folder of the bare repositories.
	Root string
	// User and Password are asked of whoever pushes; none when both are empty.
	User, Password string
	// Private asks them of whoever reads as well.
	Private bool
}

// StartGit serves root to everybody, for reading and writing.
func StartGit(ctx context.Context, root string) (*GitServer, error) {
	return StartGitWith(ctx, GitOptions{Root: root})
}

// StartGitWith serves as the options say.
func StartGitWith(ctx context.Context, opts GitOptions) (*GitServer, error) {
	handler, err := GitHandler(ctx, opts)
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("start git server: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	return &GitServer{URL: "http://" + l.Addr().String(), Root: opts.Root, server: server}, nil
}

// Stop ends the server and every request in it.
func (g *GitServer) Stop() error { return g.server.Close() }

// GitHandler is git's own http-backend over the bare repositories of a folder.
// Partial clones and fetches of any commit are allowed.
func GitHandler(ctx context.Context, opts GitOptions) (http.Handler, error) {
	out, err := exec.CommandContext(ctx, "git", "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("find git: %w (git must be installed)", err)
	}
	root, err := filepath.Abs(opts.Root)
	if err != nil {
		return nil, err
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(out)), "git-http-backend"),
		Dir:  root,
		Env: append([]string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + root, "PATH=" + os.Getenv("PATH")}, gitConfig(
			"uploadpack.allowFilter", "true",
			"uploadpack.allowAnySHA1InWant", "true",
			"http.receivepack", "true",
			"safe.directory", "*",
		)...),
		Stderr: io.Discard,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if opts.asks(r) && !opts.knows(r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "this needs a name and a password", http.StatusUnauthorized)
			return
		}
		if err := unchunk(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		// The kind of protocol travels in a header that CGI gives another name.
		h := *backend
		h.Env = append([]string{"GIT_PROTOCOL=" + r.Header.Get("Git-Protocol")}, backend.Env...)
		h.ServeHTTP(w, r)
	}), nil
}

func (o GitOptions) asks(r *http.Request) bool {
	if o.User == "" && o.Password == "" {
		return false
	}
	push := strings.HasSuffix(r.URL.Path, "/git-receive-pack") || r.URL.Query().Get("service") == "git-receive-pack"
	return push || o.Private
}

func (o GitOptions) knows(r *http.Request) bool {
	user, password, _ := r.BasicAuth()
	return subtle.ConstantTimeCompare([]byte(user+"\x00"+password), []byte(o.User+"\x00"+o.Password)) == 1
}

// unchunk gives a request of unknown length, as git sends for a large push, a
// known one: CGI has no other.
func unchunk(w http.ResponseWriter, r *http.Request) error {
	if len(r.TransferEncoding) == 0 {
		return nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPush))
	if err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	r.Body, r.TransferEncoding, r.ContentLength = io.NopCloser(bytes.NewReader(body)), nil, int64(len(body))
	r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return nil
}

// gitConfig gives git settings through its environment.
func gitConfig(pairs ...string) []string {
	env := []string{"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(pairs)/2)}
	for i := 0; i+1 < len(pairs); i += 2 {
		env = append(env,
			fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i/2, pairs[i]),
			fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i/2, pairs[i+1]))
	}
	return env
}

// Git runs git in a folder, untouched by the settings of whoever runs the
// tests, and returns what it prints, without the last line's end.
func Git(ctx context.Context, dir string, args ...string) (string, error) {
	return gitInput(ctx, dir, nil, args...)
}

func gitInput(ctx context.Context, dir string, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stdin = dir, stdin
	cmd.Env = append(os.Environ(), gitConfig("user.name", "Demo", "user.email", "demo@example.com", "init.defaultBranch", "main", "safe.directory", "*")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// InitBare makes an empty bare repository whose first branch is main.
func InitBare(ctx context.Context, dir string) error {
	_, err := Git(ctx, "", "init", "--quiet", "--bare", "--initial-branch=main", dir)
	return err
}

// Commit is a commit to make in a repository, without a work tree.
type Commit struct {
	// Branch is where it goes; it is made when it is not there.
	Branch string
	// From is the commit to build on, when Branch is not there yet.
	From    string
	Message string
	// Author is "Name <address>". Default: Demo.
	Author string
	// Files are written, by path; Delete are removed.
	Files  map[string]string
	Delete []string
}

// CommitTo makes a commit in the bare repository dir and returns its SHA.
func CommitTo(ctx context.Context, dir string, c Commit) (string, error) {
	if c.Author == "" {
		c.Author = "Demo <demo@example.com>"
	}
	ref := "refs/heads/" + c.Branch
	parent := c.From
	if sha, err := Git(ctx, dir, "rev-parse", "--verify", "--quiet", ref); err == nil {
		parent = sha
	}
	var in bytes.Buffer
	_, _ = fmt.Fprintf(&in, "commit %s\ncommitter %s %d +0000\ndata %d\n%s\n", ref, c.Author, time.Now().Unix(), len(c.Message), c.Message)
	if parent != "" {
		_, _ = fmt.Fprintf(&in, "from %s\n", parent)
	}
	for _, path := range c.Delete {
		_, _ = fmt.Fprintf(&in, "D %s\n", path)
	}
	for path, data := range c.Files {
		if strings.ContainsAny(path, "\n\"") {
			return "", fmt.Errorf("commit %s: path %q: expected no quote and no line end", c.Branch, path)
		}
		_, _ = fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", path, len(data), data)
	}
	if _, err := gitInput(ctx, dir, &in, "fast-import", "--quiet", "--date-format=raw"); err != nil {
		return "", err
	}
	return Git(ctx, dir, "rev-parse", "--verify", ref)
}

// ReadFolder reads the files below a folder by slash path, for Commit.Files.
func ReadFolder(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		files[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err == nil && len(files) == 0 {
		err = errors.New("it holds no files")
	}
	if err != nil {
		return nil, fmt.Errorf("read folder %s: %w", dir, err)
	}
	return files, nil
}
