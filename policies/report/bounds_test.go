package report_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/report"
)

var color = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// steering finds what could steer a terminal in text without colors, "" when
// there is nothing.
func steering(s string) string {
	for i, r := range s {
		if r == '\n' {
			continue
		}
		if r == utf8.RuneError || unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) {
			return fmt.Sprintf("%U at byte %d", r, i)
		}
	}
	return ""
}

// nastyDiff has lines that are too wide, that steer, and that are blank.
var nastyDiff = "--- a/v\t\n+++ b/v\t\n@@ -1,3 +1,3 @@\n \n-a: \x1b[2J\u202e\t\xff\r\n+a: " +
	strings.Repeat("日本", 70) + "\n  \n" + strings.Repeat(" b: 1\n", 200)

func TestTableFits(t *testing.T) {
	for name, r := range scenarios() {
		for _, width := range []int{0, 60, 80, 100, 300} {
			for _, colored := range []bool{false, true} {
				r.Style = report.Style{Color: colored, Width: width, Diffs: true}
				for _, g := range r.Gates {
					for i := range g.Findings {
						g.Findings[i].Diff = nastyDiff
					}
				}
				out := string(write(t, "table", r))
				if got := strings.Contains(out, "\x1b["); got != colored {
					t.Errorf("%s: colors are %v, want %v", name, got, colored)
				}
				plain := color.ReplaceAllString(out, "")
				if bad := steering(plain); bad != "" {
					t.Errorf("%s: the table lets through %s", name, bad)
				}
				limit := width
				if width == 0 || width > 100 {
					limit = 100
				}
				for line := range strings.SplitSeq(plain, "\n") {
					if n := columns(line); n > limit {
						t.Errorf("%s at width %d: line of %d columns: %s", name, width, n, line)
					}
					if strings.TrimRight(line, " ") != line {
						t.Errorf("%s: spaces at the end of %q", name, line)
					}
				}
			}
		}
	}
}

// columns counts wide runes as two, by the blocks the scenarios use.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n++
		if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) {
			n++
		}
	}
	return n
}

func TestTableShortensFleets(t *testing.T) {
	for _, n := range []int{1000, 10000} {
		out := string(write(t, "table", report.Report{Gates: []report.Gate{fleet(n)}}))
		if lines := strings.Count(out, "\n"); lines > 40 {
			t.Errorf("%d clusters, 2 findings: %d lines", n, lines)
		}
		if want := "and 992 more values in 992 more clusters"; n == 1000 && !strings.Contains(out, want) {
			t.Errorf("%q is missing: what is left out must be said", want)
		}
	}
	out := string(write(t, "table", report.Report{Gates: []report.Gate{long()}}))
	if want := "and 30 more findings: -o json has them all"; !strings.Contains(out, want) {
		t.Errorf("%q is missing: what is left out must be said", want)
	}
}

var (
	commandLine = regexp.MustCompile(`^::error ([a-z]+=[^,:\r\n]*)(,[a-z]+=[^,:\r\n]*)*::[^\r\n]*$`)
	escapes     = strings.NewReplacer("%25", "%", "%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",")
)

// checkCommands holds the github format against the runner's grammar: nothing
// but error commands, one for each finding and problem, then the summary.
func checkCommands(t *testing.T, r report.Report, out string) {
	t.Helper()
	want, aside := len(r.Problems), 0
	for _, g := range r.Gates {
		want += len(g.Problems) + len(g.Findings)
		aside += len(g.Waived) + len(g.Skipped)
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != want+aside+1 {
		t.Fatalf("got %d lines, want %d commands, %d of what is no finding, and a summary:\n%s", len(lines), want, aside, out)
	}
	for _, line := range lines[:want] {
		if !commandLine.MatchString(line) {
			t.Errorf("malformed command: %q", line)
		}
		if bad := steering(escapes.Replace(line)); bad != "" {
			t.Errorf("%s in %q", bad, line)
		}
	}
	for _, line := range lines[want:] {
		if strings.HasPrefix(line, "::") || steering(line) != "" {
			t.Errorf("what is no finding, or the summary, is a command: %q", line)
		}
	}
}

func TestGitHubCommands(t *testing.T) {
	for name, r := range scenarios() {
		t.Run(name, func(t *testing.T) { checkCommands(t, r, string(write(t, "github", r))) })
	}
}

// checkXML reads the JUnit output as its readers do, and counts.
func checkXML(t *testing.T, r report.Report, out []byte) {
	t.Helper()
	type result struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	var root struct {
		XMLName  xml.Name `xml:"testsuites"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Suites   []struct {
			Name     string `xml:"name,attr"`
			Tests    int    `xml:"tests,attr"`
			Failures int    `xml:"failures,attr"`
			Errors   int    `xml:"errors,attr"`
			Cases    []struct {
				Name    string  `xml:"name,attr"`
				Class   string  `xml:"classname,attr"`
				Failure *result `xml:"failure"`
				Error   *result `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	dec := xml.NewDecoder(strings.NewReader(string(out)))
	if err := dec.Decode(&root); err != nil {
		t.Fatalf("read JUnit: %v\n%s", err, out)
	}
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if text, ok := tok.(xml.CharData); err != nil || !ok || strings.TrimSpace(string(text)) != "" {
			t.Fatalf("something follows the document: %v %v", tok, err)
		}
	}
	tests, failures, errs := 0, 0, 0
	for _, s := range root.Suites {
		if s.Tests != len(s.Cases) || s.Tests == 0 {
			t.Errorf("suite %q says %d tests and has %d", s.Name, s.Tests, len(s.Cases))
		}
		for _, c := range s.Cases {
			tests++
			if c.Failure != nil {
				failures++
			}
			if c.Error != nil {
				errs++
			}
			if c.Name == "" || c.Class == "" {
				t.Errorf("case without a name: %+v", c)
			}
		}
	}
	if root.Tests != tests || root.Failures != failures || root.Errors != errs {
		t.Errorf("totals say %d/%d/%d, the cases are %d/%d/%d", root.Tests, root.Failures, root.Errors, tests, failures, errs)
	}
	if bad := failures+errs > 0; bad != (r.Verdict() != report.Holds) {
		t.Errorf("verdict %s, but %d failures and %d errors", r.Verdict(), failures, errs)
	}
}

func TestJUnit(t *testing.T) {
	r := scenarios()
	r["gate without rules"] = report.Report{Gates: []report.Gate{{Name: "x", File: "x.yaml"}}}
	r["nothing at all"] = report.Report{}
	for name, r := range r {
		t.Run(name, func(t *testing.T) { checkXML(t, r, write(t, "junit", r)) })
	}
}

// FuzzFormats puts any text anywhere: every format stays well formed, and the
// table cannot steer a terminal.
func FuzzFormats(f *testing.F) {
	f.Add("mattermost", "a.b", `"x"`, "values.yaml", "expected one value", 3)
	f.Add("\x1b[31m", "::error::", "%0A\r\n,:", "a:b,c%", "]]>", 0)
	f.Add("\u202e", "\xff\xfe", "\u2028", "日本/語", "\x00\x07\x9b", -1)
	f.Fuzz(func(t *testing.T, name, path, value, file, text string, line int) {
		place := finding.Position{File: file, Line: line, Column: line}
		r := report.Report{
			Version:  text,
			Problems: []report.Problem{{Message: text, Position: place}},
			Gates: []report.Gate{{
				Name: "g" + name, File: file, Clusters: 2, Rules: []string{"r" + path},
				Problems: []report.Problem{{Message: value}},
				Findings: []finding.Finding{{
					Diff: text + "\n+" + value,
					Gate: "g" + name, GateFile: file, Rule: "r" + text, Path: path, Message: text, Fix: value,
					Holdings: []finding.Holding{
						{Value: value, Places: []finding.Place{{Cluster: name, Position: place}, {Cluster: text}}},
						{Missing: true, Places: []finding.Place{{Cluster: path, Position: place}}},
					},
				}},
			}},
		}
		r.Style.Diffs = true
		if bad := steering(string(write(t, "table", r))); bad != "" {
			t.Errorf("the table lets through %s", bad)
		}
		for line := range strings.SplitSeq(string(write(t, "table", r)), "\n") {
			if utf8.RuneCountInString(line) > 100 && !hasMarks(line) {
				t.Errorf("line of %d runes: %q", utf8.RuneCountInString(line), line)
			}
		}
		checkCommands(t, r, string(write(t, "github", r)))
		checkXML(t, r, write(t, "junit", r))
		checkJSON(t, r, write(t, "json", r))
		checkSARIF(t, r, write(t, "sarif", r))
	})
}

// hasMarks reports whether s has runes that take no column.
func hasMarks(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.In(r, unicode.Mn, unicode.Me) })
}
