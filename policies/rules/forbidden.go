package rules

import (
	"regexp"
	"strings"
	"sync"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/secrets"
	"github.com/syncgate/syncgate/policies/values"
)

// What may be forbidden.
const (
	ForbiddenSecrets  = "secrets"
	ForbiddenLatest   = "latest"
	ForbiddenUnpinned = "unpinned"
)

// Forbidden is the first word of the identities of rules over what must not be
// in the values: "forbidden/secrets".
const Forbidden = "forbidden"

// ForbiddenRule says what must not stand where.
type ForbiddenRule struct {
	What string
	// Paths are where it must not stand, none for everywhere; Except are paths
	// at which, and below which, it may.
	Paths, Except []keypath.Glob
}

// Covers reports whether the rule speaks of a path.
func (r ForbiddenRule) Covers(path []string) bool {
	below := func(globs []keypath.Glob) bool {
		for _, g := range globs {
			if g.MatchBelow(path) {
				return true
			}
		}
		return false
	}
	return (len(r.Paths) == 0 || below(r.Paths)) && !below(r.Except)
}

// Inspector looks for what is forbidden in the values of one cluster after the
// other. It belongs to one goroutine.
type Inspector struct {
	rules    []ForbiddenRule
	listKeys []ListKey
	detector *secrets.Detector
	known    map[string]string // texts and which secret they are
	out      []finding.Said
}

// NewInspector makes an Inspector.
func NewInspector(list []ForbiddenRule, listKeys []ListKey) *Inspector {
	return &Inspector{rules: list, listKeys: listKeys, detector: secrets.NewDetector(), known: map[string]string{}}
}

// Look says what of the merged values of a cluster is forbidden.
func (x *Inspector) Look(root *values.Node) []finding.Said {
	x.out = nil
	x.walk(root, nil, false)
	return x.out
}

func (x *Inspector) walk(n *values.Node, path []string, hide bool) {
	switch n.Kind {
	case values.Map:
		x.images(n, path)
		named := secretValue(n)
		for _, f := range n.Fields {
			hidden := hide
			switch secrecyOf(f.Key) {
			case secret:
				hidden = f.Key != "key" || !plainKey(n)
			case plain:
				hidden = false
			case unsaid:
			}
			hidden = hidden && (f.Value.Kind != values.String || !namesObject(f.Key, f.Value.Text) && !namesKey(path, f.Key, f.Value.Text))
			x.walk(f.Value, below(path, keypath.Field(f.Key)), hidden || named && f.Key == "value")
		}
	case values.List:
		key, keyed := x.listKey(path)
		for i, item := range n.Items {
			segment := keypath.Index(i)
			if name, ok := keyOf(item, key); keyed && ok {
				segment = keypath.Item(key, name)
			}
			x.walk(item, below(path, segment), hide)
		}
	default:
		x.secret(n, path, hide)
	}
}

// objectName is the name of a Kubernetes object (RFC 1123).
var objectName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`) })

// namesObject reports whether a field names a Secret and does not hold one:
// its key ends in "secret", and its value could be the name of an object. Keys
// by which programs call their own secrets are no such names.
func namesObject(key, value string) bool {
	words := wordsOf(key)
	if len(words) == 0 || words[len(words)-1] != "secret" || !objectName().MatchString(value) {
		return false
	}
	return len(words) == 1 || !isOneOf(words[len(words)-2], []string{
		"client", "app", "application", "consumer", "webhook", "shared", "signing", "jwt", "cookie", "session", "auth", "api", "hmac",
		"token", "access", "encryption", "master", "root", "admin", "user", "oauth", "oauth2", "oidc", "csrf", "salt", "hash",
	})
}

// dataKey is a key in the data of a Secret.
var dataKey = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`) })

// namesKey reports whether a field names a key of a Secret and does not hold one,
// as charts of Bitnami write it: secretKeys.adminPasswordKey.
func namesKey(path []string, key, value string) bool {
	words := wordsOf(key)
	if len(words) < 2 || words[len(words)-1] != "key" || !dataKey().MatchString(value) {
		return false
	}
	return words[len(words)-2] == "password" || len(path) > 0 && path[len(path)-1] == "secretKeys"
}

func below(path []string, segment string) []string {
	return append(path[:len(path):len(path)], segment)
}

func (x *Inspector) listKey(path []string) (string, bool) {
	for _, k := range x.listKeys {
		if k.Path.Match(path) {
			return k.Key, true
		}
	}
	return "", false
}

// say adds a problem when a rule of that kind covers the path.
func (x *Inspector) say(what string, path []string, n *values.Node, said finding.Said) {
	for _, r := range x.rules {
		if r.What == what && r.Covers(path) {
			said.Rule, said.Path, said.At = Forbidden+"/"+what, keypath.Format(path), n.Position()
			x.out = append(x.out, said)
			return
		}
	}
}

// secret looks whether a scalar is a secret in plain text: by what it is, or by
// the key it stands under.
func (x *Inspector) secret(n *values.Node, path []string, hide bool) {
	if n.Unknown || n.Kind == values.Bool || isEmpty(n) || n.Kind == values.String && pointsElsewhere(n.Text) {
		return
	}
	what := ""
	if n.Kind == values.String {
		what = x.kindOf(n.Text)
	}
	if what == "" && hide && (n.Kind != values.String || !wholeVariable().MatchString(n.Text)) {
		what = "a value under a key that names a secret"
	}
	if what == "" {
		return
	}
	x.say(ForbiddenSecrets, path, n, finding.Said{
		Problem: "expected no secret in plain text, found " + what, Value: redacted,
		Fix: "put it into a Secret that is sealed, encrypted or made by an operator, name that in its place, and have the value changed where it is used: " +
			"it stays in Git's history",
	})
}

// kindOf says which secret a text is, "" when it is none. Clusters mostly hold
// the same texts.
func (x *Inspector) kindOf(text string) string {
	const most = 1 << 16
	if kind, ok := x.known[text]; ok {
		return kind
	}
	kind := x.detector.Detect(text)
	if kind == "" {
		kind = secrets.Form(text)
	}
	if kind == "" && isCredential(text) {
		kind = "a text of the form of a credential"
	}
	if len(x.known) < most {
		x.known[strings.Clone(text)] = kind
	}
	return kind
}

// pointsElsewhere reports a text that says where a secret is, or is one that was
// encrypted.
func pointsElsewhere(text string) bool {
	for _, start := range []string{"${", "$(", "{{", "ENC[", "vault:", "ref+", "op://", "secretref:", "arn:aws:secretsmanager:"} {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	return false
}

// wholeVariableForm is a text that is nothing but a variable which a program fills
// in: $PG_PASSWORD, and $__file{/etc/secrets/password} of Grafana. It is stricter
// than isVariable: a password, too, may begin with such a sign.
const wholeVariableForm = `^\$(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|__(?:file|env|vault)\{[^{}]+\})$`

var wholeVariable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(wholeVariableForm) })
