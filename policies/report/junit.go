package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
)

// The elements of JUnit XML that its common readers share (Jenkins, GitLab,
// GitHub's test reporters): one suite a Gate, one case a rule.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	File     string      `xml:"file,attr,omitempty"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string       `xml:"name,attr"`
	Class   string       `xml:"classname,attr"`
	Time    string       `xml:"time,attr"`
	File    string       `xml:"file,attr,omitempty"`
	Failure *junitResult `xml:"failure,omitempty"`
	Error   *junitResult `xml:"error,omitempty"`
	Skipped *junitResult `xml:"skipped,omitempty"`
}

type junitResult struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

func writeJUnit(w io.Writer, r Report) error {
	root := junitSuites{Name: "syncgate", Time: fmt.Sprintf("%.3f", r.Elapsed.Seconds())}
	if len(r.Problems) > 0 || len(r.Gates) == 0 {
		root.Suites = append(root.Suites, suite("syncgate", "", []junitCase{problemCase("syncgate", "", r.Problems)}))
	}
	for _, g := range r.Gates {
		root.Suites = append(root.Suites, gateSuite(g))
	}
	for _, s := range root.Suites {
		root.Tests += s.Tests
		root.Failures += s.Failures
		root.Errors += s.Errors
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(root); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func gateSuite(g Gate) junitSuite {
	name := clean(gateName(g))
	var cases []junitCase
	if len(g.Problems) > 0 {
		cases = append(cases, problemCase(name, g.File, g.Problems))
	}
	for _, rule := range rulesOf(g) {
		c := junitCase{Name: clean(rule), Class: name, Time: "0", File: clean(g.File)}
		c.Failure = failure(rule, g.Findings)
		if c.Failure == nil && len(g.Problems) > 0 {
			continue // what could not be told must not be shown as passed
		}
		if c.Failure == nil {
			c.Skipped = skippedCase(rule, g.Skipped)
		}
		cases = append(cases, c)
	}
	if len(cases) == 0 {
		cases = append(cases, junitCase{Name: "holds", Class: name, Time: "0", File: clean(g.File)})
	}
	return suite(name, g.File, cases)
}

// rulesOf are the rules that a Gate evaluated, with those that only its
// findings name.
func rulesOf(g Gate) []string {
	rules := slices.Clone(g.Rules)
	for _, f := range g.Findings {
		if !slices.Contains(rules, f.Rule) {
			rules = append(rules, f.Rule)
		}
	}
	return rules
}

func suite(name, file string, cases []junitCase) junitSuite {
	s := junitSuite{Name: name, File: clean(file), Tests: len(cases), Time: "0", Cases: cases}
	for _, c := range cases {
		if c.Failure != nil {
			s.Failures++
		}
		if c.Error != nil {
			s.Errors++
		}
		if c.Skipped != nil {
			s.Skipped++
		}
	}
	return s
}

func problemCase(class, file string, problems []Problem) junitCase {
	res := &junitResult{Message: "could not tell", Type: "problem"}
	var lines []string
	for _, p := range problems {
		lines = append(lines, problemLines(p)...)
	}
	if len(lines) == 0 {
		lines = []string{"no Gate was looked at"}
	}
	res.Text = strings.Join(lines, "\n")
	return junitCase{Name: "can be told", Class: class, Time: "0", File: clean(file), Error: res}
}

// skippedCase says why a rule was not asked of some clusters, nil when it was.
func skippedCase(rule string, skipped []finding.Skipped) *junitResult {
	var reasons []string
	for _, s := range skipped {
		if s.Rule == rule {
			reasons = append(reasons, clean(s.Reason))
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return &junitResult{Message: shorten(strings.Join(reasons, "; "), maxText), Type: "skipped"}
}

// failure is what the findings say of one rule, nil when they say nothing.
func failure(rule string, findings []finding.Finding) *junitResult {
	var res *junitResult
	var text []string
	n := 0
	for _, f := range findings {
		if f.Rule != rule {
			continue
		}
		n++
		if res == nil {
			res = &junitResult{Message: shorten(clean(strings.TrimSpace(f.Path+" "+f.Message)), maxText), Type: clean(rule)}
		}
		text = append(text, clean(strings.TrimSpace(Primary(f).String()+" "+f.Path)))
		for _, line := range Details(f) {
			text = append(text, "  "+line)
		}
	}
	if res == nil {
		return nil
	}
	if n > 1 {
		res.Message = fmt.Sprintf("%s (and %s)", res.Message, count(n-1, "more finding"))
	}
	res.Text = strings.Join(text, "\n")
	return res
}
