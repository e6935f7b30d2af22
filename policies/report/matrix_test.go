package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/syncgate/syncgate/policies/report"
	"github.com/syncgate/syncgate/policies/survey"
)

func matrix(t *testing.T, format string, m report.Matrix) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteMatrix(&b, format, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// hostileClusters hold values that would steer a terminal, a table or a page.
func hostileClusters() fstest.MapFS {
	return fstest.MapFS{
		"syncgate.yaml": {Data: []byte(`apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: web}
spec:
  perCluster: [{path: host, reason: "a | b <i>"}]
  clusters: [{name: eu, values: [eu.yaml]}, {name: us, values: [us.yaml]}]
`)},
		"eu.yaml": {Data: []byte("host: \"</script><script>alert(1)</script>\"\nnote: \"a|b `c` @team #1 \\e[31m\"\n\"k<b>|\": 1\npassword: hunter2\n")},
		"us.yaml": {Data: []byte("host: us\nnote: \"![x](http://e.example) <img src=x>\"\n\"k<b>|\": 2\npassword: hunter3\n")},
	}
}

func TestMatrixGolden(t *testing.T) {
	m := survey.Differ(t.Context(), hostileClusters(), survey.Options{Version: "1.2.3"})
	if m.Verdict() != report.Finds {
		t.Fatalf("verdict %s: %+v", m.Verdict(), m)
	}
	for format, file := range map[string]string{"table": "matrix.txt", "json": "matrix.json", "markdown": "matrix.md"} {
		out := matrix(t, format, m)
		golden(t, file, out)
		if bytes.Contains(out, []byte("hunter")) {
			t.Errorf("%s shows a password", format)
		}
	}
}

// A page loads nothing and runs nothing that a value brings along.
func TestMatrixPage(t *testing.T) {
	out := string(matrix(t, "html", survey.Differ(t.Context(), hostileClusters(), survey.Options{Version: "1.2.3"})))
	if n := strings.Count(out, "<script"); n != 2 {
		t.Errorf("%d scripts, want the data and the one that draws it", n)
	}
	if strings.Contains(out, "hunter") || strings.Contains(out, "\x1b") {
		t.Error("the page holds a password or an escape")
	}
	if !strings.Contains(out, "default-src 'none'") || regexp.MustCompile(`(?i)(src|href)\s*=`).MatchString(strings.SplitN(out, "<script", 2)[0]) {
		t.Error("the page may load something")
	}
	data := regexp.MustCompile(`(?s)id="data">(.*?)</script>`).FindStringSubmatch(out)
	if len(data) != 2 || !json.Valid([]byte(data[1])) {
		t.Fatal("the page's data is no JSON")
	}
}

func TestMatrixOfWhatCouldNotBeTold(t *testing.T) {
	fsys := hostileClusters()
	delete(fsys, "us.yaml")
	m := survey.Differ(t.Context(), fsys, survey.Options{})
	if m.Verdict() != report.Unknown {
		t.Errorf("verdict %s", m.Verdict())
	}
	if err := report.WriteMatrix(new(bytes.Buffer), "html", m); err == nil {
		t.Error("a page that shows less than there is looks whole")
	}
	for _, format := range []string{"table", "json", "markdown"} {
		if out := matrix(t, format, m); !bytes.Contains(out, []byte("us.yaml")) && !bytes.Contains(out, []byte(`us\.yaml`)) {
			t.Errorf("%s does not say what is missing:\n%s", format, out)
		}
	}
	if m := survey.Differ(t.Context(), hostileClusters(), survey.Options{Gate: "api"}); m.Verdict() != report.Unknown || len(m.Problems) == 0 {
		t.Errorf("a Gate that is not there: %+v", m)
	}
}

// No line is wider than the terminal, and Markdown keeps to what GitHub takes.
func TestMatrixBounds(t *testing.T) {
	m := survey.Differ(t.Context(), manyClusters(1000), survey.Options{})
	if v := m.Verdict(); v != report.Finds {
		t.Fatal(v)
	}
	for _, width := range []int{60, 80, 100} {
		m.Style.Width = width
		for line := range strings.SplitSeq(string(matrix(t, "table", m)), "\n") {
			if utf8.RuneCountInString(line) > width {
				t.Errorf("wider than %d: %q", width, line)
			}
		}
	}
	if out := matrix(t, "markdown", m); len(out) > report.MaxMarkdown || !utf8.Valid(out) {
		t.Errorf("%d bytes of Markdown", len(out))
	}
	var r report.Report
	g := drifted()
	for i := range 2000 {
		f := g.Findings[0]
		f.Path = fmt.Sprintf("key%04d", i)
		g.Findings = append(g.Findings, f)
	}
	r.Gates = []report.Gate{g}
	text := report.Markdown(r, report.MaxMarkdown)
	if len(text) > report.MaxMarkdown || !strings.Contains(text, "that do not fit into 65535 bytes") {
		t.Errorf("%d bytes, which end in %q", len(text), text[len(text)-80:])
	}
}
