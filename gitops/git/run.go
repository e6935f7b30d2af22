package git

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	maxStdout  = 256 << 20
	maxStderr  = 32 << 10
	waitDelay  = 2 * time.Second
	noProtocol = "none"
)

// call is one git process.
type call struct {
	store   *store
	args    []string
	stdin   io.Reader
	env     []string
	config  []string     // key, value, key, value …, beside what every call has
	network bool         // may speak to the server
	watch   func() error // asked now and then; an error ends the process
	onExit  map[int]bool // exit codes beside 0 that are answers, not errors
	exit    *int         // gets the exit code
}

// run runs git and returns what it wrote. An error is a *Error unless git could
// not be run at all.
func (r *Repository) run(ctx context.Context, c call) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.opts.Limits.Timeout,
		fmt.Errorf("git %s took longer than the limit of %s", c.args[0], r.opts.Limits.Timeout))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	env, err := r.environ(ctx, c)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, r.git, c.args...)
	ownGroup(cmd)
	cmd.WaitDelay = waitDelay
	cmd.Dir, cmd.Env, cmd.Stdin = r.dir, env, c.stdin
	// Children keep the cache's lock: when this process is killed, nobody
	// takes the folder over before they are done.
	cmd.ExtraFiles = []*os.File{r.lock}
	out := &bounded{max: maxStdout, over: func() { stop(fmt.Errorf("git %s wrote more than the limit of %d bytes", c.args[0], maxStdout)) }}
	errOut := &bounded{max: maxStderr}
	cmd.Stdout, cmd.Stderr = out, errOut
	if c.watch != nil {
		go watch(ctx, c.watch, stop)
	}
	err = cmd.Run()
	if c.exit != nil && cmd.ProcessState != nil {
		*c.exit = cmd.ProcessState.ExitCode()
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err == nil:
		return out.Bytes(), nil
	case errors.As(err, &exit) && c.onExit[exit.ExitCode()]:
		return out.Bytes(), nil
	case errors.As(err, &exit):
		return out.Bytes(), &Error{Command: c.args[0], URL: r.remote.shown, Exit: exit.ExitCode(), Stderr: r.redact(said(c, out, errOut))}
	}
	return nil, fmt.Errorf("run git %s: %w", c.args[0], err)
}

// said is where git says why it failed: of a push, the refusal of each branch
// stands in what it writes for programs.
func said(c call, out, errOut *bounded) string {
	if c.args[0] != "push" {
		return errOut.String()
	}
	return errOut.String() + "\n" + strings.ReplaceAll(fmt.Sprintf("%.4096s", out.String()), "!\t", "! ")
}

func watch(ctx context.Context, ask func() error, stop func(error)) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := ask(); err != nil {
				stop(err)
				return
			}
		}
	}
}

// environ is the whole environment of a call: nothing is inherited, so that
// neither the user's configuration nor GIT_* variables reach in.
func (r *Repository) environ(ctx context.Context, c call) ([]string, error) {
	env := append([]string{"PATH=" + filepath.Dir(r.git) + ":/usr/local/bin:/usr/bin:/bin"}, r.opts.Env...)
	env = append(env,
		"HOME="+r.dir, "XDG_CONFIG_HOME="+r.dir, "LC_ALL=C", "LANGUAGE=C",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_ATTR_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=", "GIT_OPTIONAL_LOCKS=0",
		// A call without a store must not find the repository that the cache
		// lies in, whose remote is another one. git heeds only a ceiling
		// above the folder it starts in.
		"GIT_CEILING_DIRECTORIES="+filepath.Dir(r.dir),
	)
	if c.store != nil {
		env = append(env, "GIT_DIR="+c.store.path)
	}
	cfg := &gitConfig{}
	cfg.set("core.hooksPath", os.DevNull)
	cfg.set("core.attributesFile", os.DevNull)
	cfg.set("gc.auto", "0")
	cfg.set("maintenance.auto", "false")
	cfg.set("credential.helper", "")
	cfg.set("remote.origin.url", r.remote.url)
	cfg.set("http.followRedirects", "false") // the token goes nowhere else
	cfg.set("http.lowSpeedLimit", "1000")
	cfg.set("http.lowSpeedTime", "30")
	for i := 0; i+1 < len(c.config); i += 2 {
		cfg.set(c.config[i], c.config[i+1])
	}
	allowed := noProtocol
	if c.network {
		allowed = r.remote.scheme
		if err := r.authorize(ctx, cfg); err != nil {
			return nil, err
		}
	}
	if r.remote.scheme == "ssh" {
		env = append(env, "GIT_SSH_COMMAND="+r.sshCommand(), "GIT_SSH_VARIANT=ssh")
	}
	env = append(env, "GIT_ALLOW_PROTOCOL="+allowed)
	return append(append(env, cfg.environ()...), c.env...), nil
}

// authorize puts the token where neither the command line nor a log shows it.
func (r *Repository) authorize(ctx context.Context, cfg *gitConfig) error {
	if r.opts.Token == nil || r.remote.origin == "" {
		return nil
	}
	token, err := r.opts.Token(ctx)
	if err != nil {
		return err
	}
	basic := base64.StdEncoding.EncodeToString([]byte(r.opts.Username + ":" + token))
	cfg.set("http."+r.remote.origin+".extraHeader", "Authorization: Basic "+basic)
	return nil
}

func (r *Repository) sshCommand() string {
	cmd := "ssh -F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes"
	if f := r.opts.SSH.KeyFile; f != "" {
		cmd += " -i " + shellQuote(f)
	}
	if f := r.opts.SSH.KnownHostsFile; f != "" {
		cmd += " -o UserKnownHostsFile=" + shellQuote(f)
	}
	return cmd
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// redact takes what could be a credential out of git's own words.
func (r *Repository) redact(s string) string {
	if r.remote.url != r.remote.shown {
		s = strings.ReplaceAll(s, r.remote.url, r.remote.shown)
	}
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.Contains(strings.ToLower(l), "authorization:") {
			lines[i] = "<redacted>"
		}
	}
	return strings.Join(lines, "\n")
}

// gitConfig is configuration handed over in the environment.
type gitConfig struct{ keys, values []string }

func (g *gitConfig) set(key, value string) {
	g.keys, g.values = append(g.keys, key), append(g.values, value)
}

func (g *gitConfig) environ() []string {
	env := []string{"GIT_CONFIG_COUNT=" + strconv.Itoa(len(g.keys))}
	for i := range g.keys {
		n := strconv.Itoa(i)
		env = append(env, "GIT_CONFIG_KEY_"+n+"="+g.keys[i], "GIT_CONFIG_VALUE_"+n+"="+g.values[i])
	}
	return env
}

// bounded keeps the first max bytes and swallows the rest.
type bounded struct {
	bytes.Buffer
	max  int
	over func()
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.max - b.Len()
	if room < len(p) && b.over != nil {
		b.over()
	}
	b.Buffer.Write(p[:max(0, min(room, len(p)))])
	return len(p), nil
}
