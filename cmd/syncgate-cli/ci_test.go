package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// agreeing is a repository with one Gate, whose two clusters agree, and its
// commit.
func agreeing(t *testing.T) (dir, base string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range map[string]string{
		"apps/syncgate.yaml": `apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: chat}
spec:
  source: {helm: {chart: chart}}
  namespace: chat
  clusters:
    - {name: eu, values: [eu.yaml]}
    - {name: us, values: [us.yaml]}
`,
		"apps/chart/Chart.yaml": "apiVersion: v2\nname: chat\nversion: 1.0.0\n", "apps/chart/values.yaml": "{}\n",
		"apps/eu.yaml": "replicas: 2\n", "apps/us.yaml": "replicas: 2\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v: %s", args[0], err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "--quiet", "--initial-branch=main")
	git("add", "--all")
	git("commit", "--quiet", "-m", "one")
	return dir, git("rev-parse", "HEAD")
}

// TestDefinitionsForCI runs every command that pre-commit and CI are given, as
// they give it: where the clusters agree, and where they do not.
func TestDefinitionsForCI(t *testing.T) {
	commands := slices.Concat(preCommit(t), documented(t))
	if len(commands) < 5 {
		t.Fatalf("expected the commands of two hooks, two workflows and a pipeline, found %q", commands)
	}
	for _, args := range commands {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			dir, base := agreeing(t)
			args := slices.Clone(args)
			for i := range args {
				if strings.HasPrefix(args[i], "$") {
					args[i] = base
				}
			}
			if code, out := inside(t, dir, args); code != 0 || out == "" && !slices.Contains(args, "github") {
				t.Errorf("where the clusters agree: exit code %d: %s", code, out)
			}
			if err := os.WriteFile(filepath.Join(dir, "apps", "us.yaml"), []byte("replicas: 3\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			if code, out := inside(t, dir, args); code != 1 || !strings.Contains(out, "replicas") {
				t.Errorf("where they do not: exit code %d: %s", code, out)
			}
		})
	}
}

// inside runs the program in a folder.
func inside(t *testing.T, dir string, args []string) (code int, out string) {
	t.Helper()
	// TestMain has it in the PATH.
	cmd := exec.CommandContext(t.Context(), "syncgate", args...)
	cmd.Dir = dir
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), both.String()
}

// preCommit are the commands of .pre-commit-hooks.yaml.
func preCommit(t *testing.T) (commands [][]string) {
	t.Helper()
	var hooks []struct {
		ID, Language, Entry string
		Args                []string
		PassFilenames       *bool `yaml:"pass_filenames"`
	}
	b, err := os.ReadFile(filepath.FromSlash("../../.pre-commit-hooks.yaml"))
	if err == nil {
		err = yaml.Unmarshal(b, &hooks)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hooks {
		// An image's entrypoint is the program.
		entry := strings.Fields(h.Entry)
		if h.PassFilenames == nil || *h.PassFilenames || len(entry) < 2 || h.Language == "golang" && entry[0] != "syncgate" {
			t.Errorf("hook %s: entry %q, pass_filenames %v", h.ID, h.Entry, h.PassFilenames)
			continue
		}
		commands = append(commands, append(entry[1:], h.Args...))
	}
	return commands
}

var (
	fencedYAML = regexp.MustCompile("(?s)```yaml\n(.*?)```")
	continued  = regexp.MustCompile(`\\\n\s*`)
	redirected = regexp.MustCompile(`\s*>.*$`)
)

// documented are the commands of docs/ci.md: what stands after the image, or
// after the program's name. Each of its examples must be YAML.
func documented(t *testing.T) (commands [][]string) {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash("../../docs/ci.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range fencedYAML.FindAllStringSubmatch(string(b), -1) {
		var doc any
		if err := yaml.Unmarshal([]byte(m[1]), &doc); err != nil {
			t.Errorf("docs/ci.md shows what is no YAML: %v\n%s", err, m[1])
		}
		for line := range strings.Lines(continued.ReplaceAllString(m[1], "")) {
			line = redirected.ReplaceAllString(strings.TrimSpace(line), "")
			for _, before := range []string{`"$IMAGE" `, "- syncgate "} {
				if _, after, ok := strings.Cut(line, before); ok {
					commands = append(commands, strings.Fields(strings.ReplaceAll(after, `"`, "")))
				}
			}
		}
	}
	return commands
}
