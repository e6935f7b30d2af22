package values

import (
	"math"
	"regexp"
	"strconv"
	"unicode/utf8"

	helmyaml "go.yaml.in/yaml/v2"

	"github.com/syncgate/syncgate/policies/finding"
)

var errorLine = regexp.MustCompile(`\bline ([0-9]+):`)

// confirm holds n against what Helm's own YAML reader makes of data: the one
// that sigs.k8s.io/yaml is built on. Two readers may differ on rare syntax;
// such a file is refused, never guessed at.
func confirm(data []byte, n *Node) error {
	var helm any
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
	if helm == nil {
		helm = map[any]any{}
	}
	key, at, same := sameAs(n, helm, "")
	if same {
		return nil
	}
	return &Error{
		Position: at, Key: key,
		Problem: "YAML 1.1, which Helm reads, and YAML 1.2 do not agree on this value",
		Remedy:  "write it in plainer YAML: put it in quotes, on one line",
	}
}

// sameAs compares n with what Helm's reader read, and says where they first
// differ. Helm turns numbers into float64 and keys into texts afterwards.
func sameAs(n *Node, helm any, path string) (key string, at finding.Position, same bool) {
	switch h := helm.(type) {
	case []any:
		return sameList(n, h, path)
	case map[any]any:
		return sameMap(n, h, path)
	}
	if sameScalar(n, helm) {
		return "", at, true
	}
	return path, n.Position(), false
}

func sameScalar(n *Node, helm any) bool {
	switch h := helm.(type) {
	case nil:
		return n.Kind == Null
	case bool:
		return n.Kind == Bool && h == (n.Num != 0)
	case int:
		return sameNumber(n, float64(h))
	case int64:
		return sameNumber(n, float64(h))
	case uint64:
		return sameNumber(n, float64(h))
	case float64:
		return sameNumber(n, h)
	case string:
		return n.Kind == String && h == n.Text && utf8.ValidString(h)
	default:
		return false
	}
}

func sameNumber(n *Node, f float64) bool {
	return n.Kind == Number && math.Float64bits(f) == math.Float64bits(n.Num)
}

func sameList(n *Node, helm []any, path string) (key string, at finding.Position, same bool) {
	if n.Kind != List || len(helm) != len(n.Items) {
		return path, n.Position(), false
	}
	for i, item := range helm {
		if key, at, ok := sameAs(n.Items[i], item, path+"["+strconv.Itoa(i)+"]"); !ok {
			return key, at, false
		}
	}
	return "", at, true
}

func sameMap(n *Node, helm map[any]any, path string) (key string, at finding.Position, same bool) {
	if n.Kind != Map || len(helm) != len(n.Fields) {
		return path, n.Position(), false
	}
	for k, v := range helm {
		name, ok := keyText(k)
		field := n.Get(name)
		if !ok || field == nil {
			return path, n.Position(), false
		}
		inner := name
		if path != "" {
			inner = path + "." + name
		}
		if key, at, ok := sameAs(field, v, inner); !ok {
			return key, at, false
		}
	}
	return "", at, true
}

// keyText is a key as sigs.k8s.io/yaml writes it, false where it refuses it.
func keyText(k any) (string, bool) {
	switch k := k.(type) {
	case string:
		return k, utf8.ValidString(k)
	case int:
		return strconv.Itoa(k), true
	case int64:
		return strconv.FormatInt(k, 10), true
	case float64:
		return float(k).key, true
	case bool:
		return strconv.FormatBool(k), true
	default:
		return "", false
	}
}
