package revert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/git"
)

var shaForm = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// identity is how a revert is known again: always the same for one gate and
// revision.
type identity struct {
	gate, revision string
	branch         string
	revert         string // the marker the pull request's body begins with
	issue          string // and the issue's
	settled        string // marker of the comment that says why it was closed
	conflict       string // marker of the comment that says that it conflicts
}

func identify(gate, revision string) identity {
	of := fmt.Sprintf("gate=%s revision=%s -->", encode(gate), revision)
	return identity{
		gate: gate, revision: revision,
		branch:   "syncgate/revert/" + slug(gate) + "/" + revision[:12],
		revert:   "<!-- syncgate:revert " + of,
		issue:    "<!-- syncgate:issue " + of,
		settled:  "<!-- syncgate:settled " + of,
		conflict: "<!-- syncgate:conflict " + of,
	}
}

func clusterMarker(cluster string) string {
	return "<!-- syncgate:cluster name=" + encode(cluster) + " -->"
}

// encode writes any name with letters, digits, '.', '_', '-' and '%' alone: it
// cannot end a comment or a line.
func encode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

var (
	labelForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	notLabel  = regexp.MustCompile(`[^a-z0-9]+`)
)

// slug is a gate's name as part of a branch: a DNS label is itself, and
// anything else gets a hash, so that two names never share a branch.
func slug(gate string) string {
	if labelForm.MatchString(gate) {
		return gate
	}
	sum := sha256.Sum256([]byte(gate))
	s := strings.Trim(notLabel.ReplaceAllString(strings.ToLower(gate), "-"), "-")
	return strings.Trim(fmt.Sprintf("%.40s-%s", s, hex.EncodeToString(sum[:5])), "-")
}

const (
	revertsTrailer = "Syncgate-Reverts"
	gateTrailer    = "Syncgate-Gate"
)

var (
	// A squashed merge may quote or list the messages of the branch.
	revertsForm  = regexp.MustCompile(`(?m)^[ \t*>-]*` + revertsTrailer + `:[ \t]*([0-9a-f]{40,64})[ \t\r]*$`)
	gateForm     = regexp.MustCompile(`(?m)^[ \t*>-]*` + gateTrailer + `:[ \t]*([^\s]+)[ \t\r]*$`)
	markerForm   = regexp.MustCompile(`<!-- syncgate:revert gate=(\S+) revision=[0-9a-f]{40,64} -->`)
	titleForm    = regexp.MustCompile(`^Revert ([^\s"]+): [0-9a-f]{12} failed on `)
	mergedFormed = regexp.MustCompile(`^Merge (pull request #\d+ from [^/\s]+/|branch ')syncgate/revert/`)
)

// revertOf reports whether a commit's message is that of a revert by this
// program, merged in whichever way, and of which gate, encoded; "" when the
// message does not say.
func revertOf(message string) (gate string, ours bool) {
	if m := markerForm.FindStringSubmatch(message); m != nil {
		return m[1], true
	}
	if revertsForm.MatchString(message) {
		if m := gateForm.FindStringSubmatch(message); m != nil {
			return m[1], true
		}
		return "", true
	}
	if m := titleForm.FindStringSubmatch(message); m != nil {
		return encode(m[1]), true
	}
	return "", mergedFormed.MatchString(message)
}

// isOurs reports whether the commit says that it is the revert that id means.
func isOurs(c git.Commit, id identity) bool {
	reverts := revertsForm.FindStringSubmatch(c.Message)
	gate := gateForm.FindStringSubmatch(c.Message)
	return len(reverts) == 2 && reverts[1] == id.revision && len(gate) == 2 && gate[1] == encode(id.gate)
}

// startsWithLines reports whether line is among the markers a text begins with.
// Further down anybody may have written it.
func startsWithLines(text, line string) bool {
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		if l == line {
			return true
		}
		if !strings.HasPrefix(l, "<!-- syncgate:") {
			return false
		}
	}
	return false
}

func labels(req gitops.RevertRequest) []string {
	list := []string{label}
	for _, l := range req.Labels {
		if l != "" && !slices.Contains(list, l) {
			list = append(list, l)
		}
	}
	return list
}

func without(list, less []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(less, s) })
}
