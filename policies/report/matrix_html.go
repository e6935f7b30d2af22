package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strings"

	"github.com/syncgate/syncgate/policies/provenance"
)

//go:embed html/matrix.css
var matrixStyle string

//go:embed html/matrix.js
var matrixScript string

// matrixPage is one file that needs no other: its own policy lets it load
// nothing, and run nothing but the script that it was made with.
const matrixPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>%s</title>
<style>%s</style>
</head>
<body>
<header>
<h1>Where clusters differ<small>%s</small></h1>
<label>gate <select id="gate"></select></label>
<label>path or value <input id="path" type="search" autocomplete="off"></label>
<label>cluster <input id="cluster" type="search" autocomplete="off"></label>
<label><input id="bad" type="checkbox"> only what may not differ</label>
<span id="count" role="status"></span>
</header>
<main id="view" tabindex="0" aria-label="key paths by cluster; the arrow keys move, and what is below tells the layers"><div id="sheet"></div></main>
<footer id="about" aria-live="polite"></footer>
<noscript>This page draws its table with a script. Without one: syncgate matrix -o table, or -o json.</noscript>
<script type="application/json" id="data">%s</script>
<script>%s</script>
</body>
</html>
`

// pageData is what the script draws.
type pageData struct {
	Gates []pageGate `json:"gates"`
	Files []string   `json:"files"`

	files map[string]int
}

type pageGate struct {
	Name     string    `json:"name"`
	Clusters []string  `json:"clusters"`
	Rows     []pageRow `json:"rows"`
	More     int       `json:"more,omitempty"`
}

type pageRow struct {
	Path   string      `json:"path"`
	Broken bool        `json:"broken,omitempty"`
	Note   string      `json:"note,omitempty"`
	Chains []pageChain `json:"chains"`
}

type pageChain struct {
	Value    string     `json:"value,omitempty"`
	Missing  bool       `json:"missing,omitempty"`
	Clusters []int      `json:"clusters"`
	Steps    []pageStep `json:"steps"`
}

type pageStep struct {
	Layer   string             `json:"layer"`
	Above   string             `json:"above,omitempty"`
	Value   string             `json:"value"`
	Outcome provenance.Outcome `json:"outcome"`
	// Places are three numbers for each of the chain's clusters, in their
	// order: the file's number, line and column.
	Places []int `json:"places"`
}

func writeMatrixHTML(w io.Writer, m Matrix) error {
	data := pageData{Gates: []pageGate{}, files: map[string]int{}}
	var names, troubles []string
	for _, g := range m.Gates {
		name := g.Name
		if name == "" {
			name = g.File
		}
		names = append(names, name)
		for _, p := range g.Problems {
			troubles = append(troubles, strings.Join(problemLines(p), " "))
		}
		data.Gates = append(data.Gates, data.gate(name, g))
	}
	for _, p := range m.Problems {
		troubles = append(troubles, strings.Join(problemLines(p), " "))
	}
	if len(troubles) > 0 {
		// A page that shows less than there is must not look like a whole one.
		return fmt.Errorf("could not tell: %s", strings.Join(troubles, "; "))
	}
	encoded, err := json.Marshal(data) // escapes <, > and &: nothing in it ends the script
	if err != nil {
		return err
	}
	title := "Where clusters differ: " + list(cleanAll(names), maxValue)
	_, err = fmt.Fprintf(w, matrixPage, sum(matrixStyle), sum(matrixScript), html.EscapeString(title), matrixStyle,
		html.EscapeString("Syncgate "+m.Version), encoded, matrixScript)
	return err
}

// sum is a source's hash as a Content-Security-Policy has it.
func sum(source string) string {
	h := sha256.Sum256([]byte(source))
	return base64.StdEncoding.EncodeToString(h[:])
}

func (d *pageData) gate(name string, g MatrixGate) pageGate {
	out := pageGate{Name: clean(name), Clusters: cleanAll(g.Clusters), Rows: make([]pageRow, 0, len(g.Rows)), More: g.More}
	number := map[string]int{}
	for i, c := range g.Clusters {
		number[c] = i
	}
	for _, r := range g.Rows {
		row := pageRow{Path: clean(r.Path), Broken: len(r.Broken) > 0, Note: clean(note(r)), Chains: make([]pageChain, 0, len(r.Chains))}
		for _, c := range r.Chains {
			row.Chains = append(row.Chains, d.chain(c, number))
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

func (d *pageData) chain(c provenance.Chain, number map[string]int) pageChain {
	chain := pageChain{Value: clean(c.Value), Missing: c.Missing}
	for _, name := range c.Clusters {
		chain.Clusters = append(chain.Clusters, number[name])
	}
	for _, s := range c.Steps {
		step := pageStep{Layer: s.Layer, Above: clean(s.Above), Value: clean(s.Value), Outcome: s.Outcome}
		if s.Subchart != "" {
			step.Layer += " " + clean(s.Subchart)
		}
		for _, p := range s.Places {
			step.Places = append(step.Places, d.file(p.Position.File), p.Position.Line, p.Position.Column)
		}
		chain.Steps = append(chain.Steps, step)
	}
	return chain
}

func (d *pageData) file(name string) int {
	i, ok := d.files[name]
	if !ok {
		i = len(d.Files)
		d.files[name] = i
		d.Files = append(d.Files, clean(name))
	}
	return i
}
