package forge

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	kindPullRequest = "PullRequest"
	kindIssue       = "Issue"

	maxPaperBytes = 4 << 20
	maxPapers     = 10_000

	fence = "---\n"
	// saying stands before each comment. It is not Markdown, and text that
	// holds it is not written.
	saying = "\n<!-- syncgate:comment -->\n\n"
)

// paper is a pull request or an issue as a file. Its exported fields are the
// front matter.
type paper struct {
	Kind    string   `yaml:"kind"`
	Number  int      `yaml:"number"`
	Title   string   `yaml:"title"`
	State   State    `yaml:"state"`
	Head    string   `yaml:"head,omitempty"`
	Base    string   `yaml:"base,omitempty"`
	HeadSHA string   `yaml:"headSHA,omitempty"`
	Labels  []string `yaml:"labels,omitempty"`

	file     string
	body     string
	comments []string
}

func (a *paper) begins(marker string) bool { return strings.HasPrefix(a.body, marker) }

func (a *paper) says(marker string) bool {
	for _, c := range a.comments {
		if strings.HasPrefix(c, marker) {
			return true
		}
	}
	return false
}

func (a *paper) encode() ([]byte, error) {
	front, err := yaml.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("write front matter: %w", err)
	}
	var b bytes.Buffer
	b.WriteString(fence)
	b.Write(front)
	b.WriteString(fence + "\n" + clean(a.body))
	for _, c := range a.comments {
		b.WriteString(saying + clean(c))
	}
	return b.Bytes(), nil
}

// clean keeps the file's own marks out of a text.
func clean(s string) string {
	mark := strings.TrimSpace(saying)
	return strings.TrimRight(strings.ReplaceAll(s, mark, strings.Replace(mark, "!", "! ", 1)), "\n") + "\n"
}

func decodePaper(b []byte) (*paper, error) {
	rest, ok := bytes.CutPrefix(b, []byte(fence))
	front, text, ok2 := bytes.Cut(rest, []byte("\n"+fence))
	if !ok || !ok2 {
		return nil, fmt.Errorf("read front matter: expected it between two lines of \"---\"")
	}
	a := &paper{}
	if err := yaml.Unmarshal(front, a); err != nil {
		return nil, fmt.Errorf("read front matter: %w", err)
	}
	if a.Kind != kindPullRequest && a.Kind != kindIssue || a.Number < 1 {
		return nil, fmt.Errorf("read front matter: expected kind PullRequest or Issue and a number from 1, found %.40q and %d", a.Kind, a.Number)
	}
	if a.State != Open && a.State != Closed && a.State != Merged {
		return nil, fmt.Errorf("read front matter: expected state open, closed or merged, found %.40q", string(a.State))
	}
	parts := strings.Split(strings.TrimPrefix(string(text), "\n"), saying)
	a.body, a.comments = parts[0], parts[1:]
	return a, nil
}

var otherThanName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// add gives the paper a number and a file of its own.
func (p *Plain) add(a *paper) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	papers, err := p.readAll()
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, o := range papers {
		a.Number = max(a.Number, o.Number)
		taken[o.file] = true
	}
	a.Number++
	name := fmt.Sprintf("issue-%d", a.Number)
	if a.Kind == kindPullRequest {
		name = strings.TrimLeft(otherThanName.ReplaceAllString(a.Head, "-"), ".")
		if taken[name+".md"] {
			name = fmt.Sprintf("%s-%d", name, a.Number)
		}
	}
	a.file = name + ".md"
	return p.write(a)
}

func (p *Plain) change(number int, verb string, f func(*paper)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, err := p.read(number)
	if err == nil {
		f(a)
		err = p.write(a)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	return nil
}

func (p *Plain) read(number int) (*paper, error) {
	papers, err := p.readAll()
	if err != nil {
		return nil, err
	}
	for _, a := range papers {
		if a.Number == number {
			return a, nil
		}
	}
	return nil, fmt.Errorf("no pull request or issue %d in %s", number, p.opts.Dir)
}

func (p *Plain) readAll() ([]*paper, error) {
	list, err := os.ReadDir(p.opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("read pull requests: %w", err)
	}
	if len(list) > maxPapers {
		return nil, fmt.Errorf("read pull requests: expected at most %d files in %s, found %d: move old ones away", maxPapers, p.opts.Dir, len(list))
	}
	var papers []*paper
	for _, d := range list {
		if !d.Type().IsRegular() || !strings.HasSuffix(d.Name(), ".md") {
			continue
		}
		b, err := readBounded(filepath.Join(p.opts.Dir, d.Name()))
		if err != nil {
			return nil, fmt.Errorf("read pull requests: %w", err)
		}
		if !bytes.HasPrefix(b, []byte(fence)) {
			continue // not one of ours
		}
		a, err := decodePaper(b)
		if err != nil {
			return nil, fmt.Errorf("read pull requests: %s: %w", filepath.Join(p.opts.Dir, d.Name()), err)
		}
		a.file = d.Name()
		papers = append(papers, a)
	}
	return papers, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPaperBytes+1))
	if err == nil && len(b) > maxPaperBytes {
		err = fmt.Errorf("%s is over the limit of %d bytes", path, maxPaperBytes)
	}
	return b, err
}

// write puts the file in place as a whole: a reader never sees half of it.
func (p *Plain) write(a *paper) error {
	b, err := a.encode()
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(p.opts.Dir, ".tmp-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", a.file, err)
	}
	defer os.Remove(tmp.Name()) // nothing is there after the rename
	_, err = tmp.Write(b)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(p.opts.Dir, a.file))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", a.file, err)
	}
	return nil
}

func (p *Plain) url(a *paper) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(p.opts.Dir, a.file))}).String()
}
