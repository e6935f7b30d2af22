package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/hooks/config"
	"github.com/syncgate/syncgate/policies/gate"
)

const repository = "../.."

// pages are the repository's own Markdown files, relative to its root.
func pages(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == ".git" || name == ".cache" || name == "node_modules" || name == "testdata") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			rel, err := filepath.Rel(repository, path)
			found = append(found, rel)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 5 {
		t.Fatalf("expected the repository's pages, found %v", found)
	}
	return found
}

func page(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fenced  = regexp.MustCompile("(?s)(?:^|\n) *```([a-z]*)\n(.*?)\n *```")
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	unword  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestLinks follows every relative link, to the heading it names.
func TestLinks(t *testing.T) {
	for _, name := range pages(t) {
		text := fenced.ReplaceAllString(page(t, name), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			target, anchor, _ := strings.Cut(m[1], "#")
			file := name
			if target != "" {
				file = filepath.Join(filepath.Dir(name), target)
			}
			if _, err := os.Stat(filepath.Join(repository, file)); err != nil {
				t.Errorf("%s: the link %s leads nowhere", name, m[1])
				continue
			}
			if anchor != "" && !anchors(page(t, file))[anchor] {
				t.Errorf("%s: the link %s names a heading that %s does not have", name, m[1], file)
			}
		}
	}
}

// anchors are the names that GitHub gives to a page's headings.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		words := unword.ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(words, " ", "-")] = true
	}
	return found
}

// TestShownFiles reads every Gate and every configuration of the server that a
// page shows, as the program reads them.
func TestShownFiles(t *testing.T) {
	gates, configs := 0, 0
	for _, name := range pages(t) {
		for _, m := range fenced.FindAllStringSubmatch(page(t, name), -1) {
			text := unindent(m[2])
			switch {
			case m[1] != "yaml":
			case strings.HasPrefix(text, "apiVersion: syncgate.dev/"):
				gates++
				if _, err := gate.Decode([]byte(text), name); err != nil {
					t.Errorf("%s shows a Gate that cannot be read: %v\n%s", name, err, text)
				}
			case strings.Contains(text, "\nrepositories:\n") && strings.Contains(text, "\nclusters:\n"):
				configs++
				if _, err := config.Decode([]byte(text), name); err != nil {
					t.Errorf("%s shows a configuration that cannot be read: %v\n%s", name, err, text)
				}
			}
		}
	}
	if gates == 0 || configs == 0 {
		t.Errorf("expected Gates and configurations in the pages, found %d and %d: this test looks for the wrong thing", gates, configs)
	}
}

// unindent takes away the spaces that all lines begin with: a block in a list.
func unindent(text string) string {
	first := text[:len(text)-len(strings.TrimLeft(text, " "))]
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], first)
	}
	return strings.Join(lines, "\n")
}
