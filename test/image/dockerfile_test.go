package image

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// instruction is one line of a Dockerfile with its continuations.
type instruction struct {
	Line int
	Op   string // upper case: "RUN"
	Args string
}

// stage is what follows one FROM.
type stage struct {
	Base, Name string
	Steps      []instruction
}

// readStages reads the instructions of a Dockerfile. It knows what ours uses:
// comments, continued lines and named stages.
func readStages(name string) ([]stage, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var stages []stage
	var joined string
	var start int
	for i, line := range strings.Split(string(data), "\n") {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		if joined == "" {
			start = i + 1
		}
		if rest, more := strings.CutSuffix(trimmed, `\`); more {
			joined += rest + " "
			continue
		}
		op, args, _ := strings.Cut(strings.TrimSpace(joined+trimmed), " ")
		joined = ""
		op = strings.ToUpper(op)
		switch {
		case op == "FROM":
			words := strings.Fields(args)
			s := stage{}
			for i := 0; i < len(words); i++ {
				switch {
				case strings.HasPrefix(words[i], "--"):
				case strings.EqualFold(words[i], "as") && i+1 < len(words):
					s.Name = words[i+1]
					i++
				default:
					s.Base = words[i]
				}
			}
			stages = append(stages, s)
		case len(stages) > 0:
			s := &stages[len(stages)-1]
			s.Steps = append(s.Steps, instruction{Line: start, Op: op, Args: strings.TrimSpace(args)})
		}
	}
	return stages, nil
}

// builder carries out the steps of a stage below root, which stands for "/".
type builder struct {
	context string // the build context
	root    string
	workdir string
	env     []string
	given   map[string]string // build arguments
}

// pathInImage finds the absolute paths of a command that the stage made.
var pathInImage = regexp.MustCompile(`(^|[\s=])/(src|out)(/|\s|$)`)

func (b *builder) run(t *testing.T, step instruction) error {
	t.Helper()
	switch step.Op {
	case "ARG":
		name, def, _ := strings.Cut(step.Args, "=")
		if v, ok := b.given[name]; ok {
			def = v
		}
		b.env = append(b.env, name+"="+def)
	case "ENV":
		b.env = append(b.env, step.Args)
	case "WORKDIR":
		b.workdir = filepath.Join(b.root, step.Args)
		return os.MkdirAll(b.workdir, 0o750)
	case "COPY":
		if step.Args != ". ." {
			return fmt.Errorf("COPY %s: expected \". .\" in the build stage", step.Args)
		}
		return copyContext(b.context, b.workdir)
	case "RUN":
		return b.shell(t, step.Args)
	default:
		return fmt.Errorf("%s: this test does not know the instruction", step.Op)
	}
	return nil
}

func (b *builder) shell(t *testing.T, line string) error {
	t.Helper()
	for strings.HasPrefix(line, "--") {
		_, rest, _ := strings.Cut(line, " ")
		line = strings.TrimSpace(rest)
	}
	line = pathInImage.ReplaceAllString(line, "${1}"+b.root+"/$2$3")
	t.Logf("run in an empty folder: %s", line)
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", line)
	cmd.Dir = b.workdir
	// What a container would have: no settings of whoever runs the test, but
	// the module and build caches, as the cache mounts give them.
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.root, "GOFLAGS=", "GOTOOLCHAIN=local"}, b.env...)
	for _, name := range []string{"GOMODCACHE", "GOCACHE", "GOPROXY", "GONOSUMDB", "GONOSUMCHECK", "GOSUMDB", "GONOPROXY", "GOPRIVATE"} {
		out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		if err != nil {
			return fmt.Errorf("go env %s: %w", name, err)
		}
		if v := strings.TrimSpace(string(out)); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("RUN %s: %w\n%s", line, err, out)
	}
	return nil
}

// copyContext copies what .dockerignore lets through.
func copyContext(from, to string) error {
	ignore, err := readIgnore(filepath.Join(from, ".dockerignore"))
	if err != nil {
		return err
	}
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil || rel == "." {
			return err
		}
		rel = filepath.ToSlash(rel)
		if ignore.ignored(rel) {
			if d.IsDir() {
				return fs.SkipDir // ours names no file below an ignored folder
			}
			return nil
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o750)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // an editor's file that has gone meanwhile
		} else if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o640)
	})
}

// ignoreList holds the patterns of a .dockerignore in order; the last one
// that matches a path decides.
type ignoreList []string

func readIgnore(name string) (ignoreList, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list ignoreList
	for s := bufio.NewScanner(f); s.Scan(); {
		if line := strings.TrimSpace(s.Text()); line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, line)
		}
	}
	return list, nil
}

func (l ignoreList) ignored(rel string) bool {
	var out bool
	for _, line := range l {
		pattern, negated := strings.CutPrefix(line, "!")
		// A pattern speaks of a path and of all that lies below it.
		for p := rel; p != "."; p = path.Dir(p) {
			if matches(pattern, p) {
				out = !negated
				break
			}
		}
	}
	return out
}

func matches(pattern, name string) bool {
	if rest, anywhere := strings.CutPrefix(pattern, "**/"); anywhere {
		name, pattern = path.Base(name), rest
	}
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}
