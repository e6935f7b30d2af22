package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
)

const (
	sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	homePage    = "https://github.com/syncgate/syncgate"
	sourceRoot  = "%SRCROOT%"
	// maxRelated bounds the places shown beside a result's own.
	maxRelated = 20
)

// The parts of SARIF 2.1.0 that a Report needs, named as its section 3 does.
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool                `json:"tool"`
	Invocations []sarifInvocation        `json:"invocations"`
	URIBases    map[string]sarifArtifact `json:"originalUriBaseIds"`
	ColumnKind  string                   `json:"columnKind"`
	Results     []sarifResult            `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version,omitempty"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string       `json:"id"`
	ShortDescription sarifMessage `json:"shortDescription"`
	DefaultLevel     sarifLevel   `json:"defaultConfiguration"`
}

type sarifLevel struct {
	Level string `json:"level"`
}

type sarifMessage struct {
	Text string `json:"text"`
}

type sarifInvocation struct {
	Successful    bool                `json:"executionSuccessful"`
	Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
}

type sarifNotification struct {
	Level     string          `json:"level"`
	Message   sarifMessage    `json:"message"`
	Locations []sarifLocation `json:"locations,omitempty"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      sarifMessage      `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Related      []sarifLocation   `json:"relatedLocations,omitempty"`
	Fingerprints map[string]string `json:"partialFingerprints"`
}

type sarifLocation struct {
	ID       *int          `json:"id,omitempty"`
	Physical sarifPhysical `json:"physicalLocation"`
	Message  *sarifMessage `json:"message,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI         string        `json:"uri,omitempty"`
	URIBaseID   string        `json:"uriBaseId,omitempty"`
	Description *sarifMessage `json:"description,omitempty"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
}

func writeSARIF(w io.Writer, r Report) error {
	run := sarifRun{
		Tool: sarifTool{Driver: sarifDriver{
			Name: "syncgate", Version: r.Version, InformationURI: homePage, Rules: []sarifRule{},
		}},
		Invocations: []sarifInvocation{invocation(r)},
		URIBases:    map[string]sarifArtifact{sourceRoot: {Description: &sarifMessage{"The root of the repository."}}},
		ColumnKind:  "unicodeCodePoints",
		Results:     []sarifResult{},
	}
	index := make(map[string]int)
	for _, g := range r.Gates {
		for _, rule := range rulesOf(g) {
			if _, ok := index[rule]; !ok {
				index[rule] = len(run.Tool.Driver.Rules)
				run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, ruleDescriptor(rule))
			}
		}
		for _, f := range g.Findings {
			run.Results = append(run.Results, result(f, index[f.Rule]))
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}})
}

// invocation says whether everything could be told, and if not, why.
func invocation(r Report) sarifInvocation {
	inv := sarifInvocation{Successful: r.Verdict() != Unknown}
	add := func(level string, p Problem, file string) {
		if p.Position.File == "" {
			p.Position.File = file
		}
		n := sarifNotification{Level: level, Message: sarifMessage{strings.Join(cleanLines(p.Message, maxLines), "\n")}}
		if p.Position.File != "" {
			n.Locations = []sarifLocation{location(p.Position)}
		}
		inv.Notifications = append(inv.Notifications, n)
	}
	for _, p := range r.Problems {
		add("error", p, "")
	}
	for _, g := range r.Gates {
		for _, p := range g.Problems {
			add("error", p, g.File)
		}
		for _, line := range aside(g) {
			add("note", Problem{Message: line}, g.File)
		}
	}
	return inv
}

func ruleDescriptor(rule string) sarifRule {
	return sarifRule{
		ID:               clean(rule),
		ShortDescription: sarifMessage{ruleText(rule)},
		DefaultLevel:     sarifLevel{"error"},
	}
}

// ruleText says in a sentence what a rule asks for.
func ruleText(rule string) string {
	switch {
	case rule == "identical":
		return "Every cluster holds the same value, except at the paths that the Gate lists under perCluster."
	case rule == "required":
		return "Every cluster sets the paths that the Gate lists under required."
	case strings.HasPrefix(rule, "cel/"):
		return clean(fmt.Sprintf("The Gate's own rule %q holds.", strings.TrimPrefix(rule, "cel/")))
	}
	return clean(fmt.Sprintf("The rule %q holds.", rule))
}

func result(f finding.Finding, index int) sarifResult {
	sum := sha256.Sum256([]byte(f.Gate + "\x00" + f.Rule + "\x00" + f.Path))
	res := sarifResult{
		RuleID: clean(f.Rule), RuleIndex: index, Level: "error",
		Message:      sarifMessage{strings.Join(headed(f), "\n")},
		Locations:    []sarifLocation{location(Primary(f))},
		Fingerprints: map[string]string{"gateRulePath/v1": hex.EncodeToString(sum[:16])},
	}
	for _, h := range f.Holdings {
		for _, p := range h.Places {
			if p.Position.File == "" || p.Position == Primary(f) {
				continue
			}
			if len(res.Related) == maxRelated {
				return res
			}
			loc := location(p.Position)
			id := len(res.Related) + 1
			loc.ID = &id
			loc.Message = &sarifMessage{clean(p.Cluster) + ": " + shorten(held(h), maxValue)}
			res.Related = append(res.Related, loc)
		}
	}
	return res
}

// headed are a finding's details with its key path before them.
func headed(f finding.Finding) []string {
	lines := Details(f)
	if f.Path != "" {
		lines[0] = clean(f.Path) + ": " + lines[0]
	}
	return lines
}

func location(p finding.Position) sarifLocation {
	loc := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{
		URI: (&url.URL{Path: p.File}).String(), URIBaseID: sourceRoot,
	}}}
	if p.Line > 0 {
		loc.Physical.Region = &sarifRegion{StartLine: p.Line, StartColumn: max(p.Column, 0)}
	}
	return loc
}
