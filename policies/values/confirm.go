package values

import (
	"fmt"
	"math"
	"regexp"
	"strconv"

	helmyaml "sigs.k8s.io/yaml"

	"github.com/syncgate/syncgate/policies/finding"
)

var errorLine = regexp.MustCompile(`\bline ([0-9]+):`)

// confirm holds n against what Helm itself reads from data. Two YAML readers
// may differ on rare syntax; such a file is refused, never guessed at.
func confirm(data []byte, n *Node) error {
	var helm map[string]any
	if err := helmyaml.Unmarshal(data, &helm); err != nil {
		// The text of the error may quote values: only its line is used.
		at := finding.Position{File: n.File}
		if m := errorLine.FindStringSubmatch(err.Error()); m != nil {
			at.Line, _ = strconv.Atoi(m[1])
		}
		return &Error{
			Position: at, Problem: "Helm's own YAML reader refuses this file",
			Remedy: "write it in plainer YAML: no tags, no keys but strings, no tabs",
		}
	}
	key, at, same := sameAs(n, map[string]any(helm), "")
	if same {
		return nil
	}
	return &Error{
		Position: at, Key: key,
		Problem: "YAML 1.1, which Helm reads, and YAML 1.2 do not agree on this value",
		Remedy:  "write it in plainer YAML: put it in quotes, on one line",
	}
}

// sameAs compares n with what Helm read, and says where they first differ.
func sameAs(n *Node, helm any, path string) (key string, at finding.Position, same bool) {
	differ := func() (string, finding.Position, bool) { return path, n.Position(), false }
	switch h := helm.(type) {
	case nil:
		if n.Kind != Null {
			return differ()
		}
	case bool:
		if n.Kind != Bool || h != (n.Num != 0) {
			return differ()
		}
	case float64:
		if n.Kind != Number || math.Float64bits(h) != math.Float64bits(n.Num) {
			return differ()
		}
	case string:
		if n.Kind != String || h != n.Text {
			return differ()
		}
	case []any:
		if n.Kind != List || len(h) != len(n.Items) {
			return differ()
		}
		for i, item := range h {
			if key, at, ok := sameAs(n.Items[i], item, fmt.Sprintf("%s[%d]", path, i)); !ok {
				return key, at, false
			}
		}
	case map[string]any:
		if n.Kind != Map || len(h) != len(n.Fields) {
			return differ()
		}
		for _, f := range n.Fields {
			v, ok := h[f.Key]
			if !ok {
				return differ()
			}
			inner := f.Key
			if path != "" {
				inner = path + "." + f.Key
			}
			if key, at, ok := sameAs(f.Value, v, inner); !ok {
				return key, at, false
			}
		}
	}
	return "", finding.Position{}, true
}
