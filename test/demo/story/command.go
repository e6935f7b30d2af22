package story

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/syncgate/syncgate/test/harness"
)

// call is a run of one of our programs.
type call struct {
	name string // what the Outcome calls it
	args []string
	env  map[string]string // beside this process's own
	// want is the exit code that the story needs.
	want int
	// quiet shows neither the command nor its output.
	quiet bool
	// hide leaves what goes to stdout off the screen.
	hide bool
	// watch also gets the output, as it comes.
	watch io.Writer
}

// run runs a program, shows it as it could be typed, and holds its exit code
// against what the story needs.
func (s *Story) run(ctx context.Context, c call) (Ran, error) {
	path := filepath.Join(s.opts.Bin, "syncgate")
	if !c.quiet {
		s.screen.command(c.words(path)...)
	}
	frame := s.screen.output()
	var stdout, stderr bytes.Buffer
	outs, errs := []io.Writer{&stdout}, []io.Writer{&stderr}
	if !c.quiet {
		errs = append(errs, frame)
	}
	if !c.quiet && !c.hide {
		outs = append(outs, frame)
	}
	if c.watch != nil {
		outs = append(outs, c.watch)
	}
	code, err := s.stage.Run(ctx, harness.Command{
		Name: c.name, Path: path, Args: c.args, Dir: s.opts.Root, Env: environment(c.env),
		Stdout: io.MultiWriter(outs...), Stderr: io.MultiWriter(errs...),
	})
	frame.end()
	if err != nil {
		return Ran{}, err
	}
	ran := Ran{Name: c.name, Code: code, Stdout: stdout.String(), Stderr: stderr.String()}
	s.Ran = append(s.Ran, ran)
	if code != c.want {
		return ran, fmt.Errorf("run syncgate %s: expected exit code %d, found %d\n%s%s",
			strings.Join(c.args, " "), c.want, code, ran.Stdout, ran.Stderr)
	}
	return ran, nil
}

// words are the command for a shell in the repository's folder.
func (c call) words(path string) []string {
	var words []string
	names := make([]string, 0, len(c.env))
	for name := range c.env {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		words = append(words, name+"="+quote(c.env[name]))
	}
	words = append(words, path)
	for _, arg := range c.args {
		words = append(words, quote(arg))
	}
	return words
}

// quote quotes a word where a shell needs it.
func quote(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n\"'`$\\*?[]{}()<>|&;#~!") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// environment is this process's, without what would change what the programs
// do, and with more.
func environment(more map[string]string) []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "ARGOCD_") && !strings.HasPrefix(name, "SYNCGATE_") && !strings.HasPrefix(name, "PARAM_") && name != "KUBECONFIG" {
			env = append(env, entry)
		}
	}
	for name, value := range more {
		env = append(env, name+"="+value)
	}
	return env
}

// seen is a writer that is told when a line comes that it looks for.
type seen struct {
	fits func(line string) bool
	hit  chan struct{}
	part []byte
	done bool
}

func newSeen(fits func(string) bool) *seen { return &seen{fits: fits, hit: make(chan struct{})} }

// Write looks at whole lines.
func (s *seen) Write(data []byte) (int, error) {
	s.part = append(s.part, data...)
	for {
		line, rest, ok := bytes.Cut(s.part, []byte("\n"))
		if !ok {
			return len(data), nil
		}
		s.part = rest
		if !s.done && s.fits(string(line)) {
			s.done = true
			close(s.hit)
		}
	}
}
