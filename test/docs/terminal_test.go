package docs

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/report"
	"github.com/syncgate/syncgate/policies/survey"
)

var update = flag.Bool("update", false, "write the pictures anew")

// TestTerminalPicture holds the README's picture to what validate says of the
// example once its sites drift as the README makes them drift.
func TestTerminalPicture(t *testing.T) {
	const example = "examples/mattermost-operator"
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, example), os.DirFS(filepath.Join(repository, example))); err != nil {
		t.Fatal(err)
	}
	command := drift(t)
	values := filepath.Join(dir, example, "clusters", "us", "values.yaml")
	data, err := os.ReadFile(values)
	if err != nil {
		t.Fatal(err)
	}
	drifted := string(data)
	for _, e := range command.edits {
		before := drifted
		if drifted = strings.ReplaceAll(drifted, e[0], e[1]); drifted == before {
			t.Fatalf("README.md changes %q, which %s does not hold", e[0], values)
		}
	}
	if err := os.WriteFile(values, []byte(drifted), 0o600); err != nil {
		t.Fatal(err)
	}
	r, _ := survey.Collect(t.Context(), os.DirFS(dir), survey.Options{Paths: []string{example}})
	if r.Verdict() != report.Finds {
		t.Fatalf("expected findings, found %v: %+v", r.Verdict(), r.Problems)
	}
	r.Elapsed = 9 * time.Millisecond // the only thing that differs from run to run
	r.Style = report.Style{Color: true, Width: 100}
	var out bytes.Buffer
	if err := report.Write(&out, "table", r); err != nil {
		t.Fatal(err)
	}
	text := "$ " + command.line + "\n$ bin/syncgate validate " + example + "\n" + out.String()
	compare(t, "docs/images/terminal.svg", picture("syncgate validate finds what drifted on one site", text))
}

type driftCommand struct {
	line  string
	edits [][2]string
}

// drift finds the README's command that makes the example's sites drift.
func drift(t *testing.T) driftCommand {
	t.Helper()
	for line := range strings.Lines(page(t, "README.md")) {
		rest, ok := strings.CutPrefix(line, "sed -i '")
		if !ok {
			continue
		}
		script, _, _ := strings.Cut(rest, "'")
		c := driftCommand{line: strings.TrimSpace(line)}
		for s := range strings.SplitSeq(script, ";") {
			parts := strings.Split(strings.TrimSpace(s), "/")
			if len(parts) != 4 || parts[0] != "s" || parts[3] != "" {
				t.Fatalf("README.md: expected s/A/B/, found %q", s)
			}
			c.edits = append(c.edits, [2]string{parts[1], parts[2]})
		}
		return c
	}
	t.Fatal("README.md: expected a line that begins with sed -i")
	return driftCommand{}
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join(repository, name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s does not show what the program says; look at the difference, then run this test with -update (-file +now):\n%s", name, diff)
	}
}
