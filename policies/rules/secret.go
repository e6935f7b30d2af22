package rules

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/syncgate/syncgate/policies/secrets"
	"github.com/syncgate/syncgate/policies/values"
)

// redacted stands for a value that is not shown.
const redacted = "<redacted>"

// secretWords make a key secret-like wherever they stand in its name, which is
// taken in lower case and without separators.
func secretWords() []string {
	return []string{
		"password", "passwd", "passphrase", "secret", "token", "credential", "connectionstring", "datasource",
		"apikey", "accesskey", "privatekey", "encryptkey", "encryptionkey", "signingkey", "licensekey", "secretkey",
		"authorization", "bearer", "salt", "kubeconfig", "webhookurl",
	}
}

// secretNames make a key secret-like when they are the whole of it, or its last
// word.
func secretNames() []string {
	return []string{"key", "dsn", "pwd", "pass", "auth", "cert", "license", "pin"}
}

// plainEndings are last words of keys that speak about a secret and do not hold
// one: its name, where it is, how long it lives.
func plainEndings() []string {
	return []string{
		"name", "names", "ref", "refs", "enabled", "file", "files", "path", "class", "type", "length", "size", "policy",
		"ttl", "expiry", "seconds", "minutes", "hours", "days", "timeout", "duration", "interval", "count", "version",
		"algorithm", "namespace", "mode", "issuer", "audience", "audiences", "selector", "annotations", "labels", "manager",
	}
}

// plainNames are keys that only look like secrets.
func plainNames() []string {
	return []string{"imagepullsecrets", "pullsecrets", "topologykey", "publickey", "automountserviceaccounttoken", "sortkey", "mergekey", "maxtokens"}
}

// plainBeginnings are first words of keys that switch or point.
func plainBeginnings() []string {
	return []string{"existing", "use", "create", "enable", "disable", "require", "allow", "has", "public"}
}

// secrecy is what a key's name says of the value under it.
type secrecy uint8

const (
	unsaid secrecy = iota // nothing: as the key above
	plain                 // a reference or a switch: no secret
	secret
)

// secrecyOf judges a key's name. Where it errs it errs to secret: that costs a
// value in a message, the other way would show a password.
func secrecyOf(name string) secrecy {
	words := wordsOf(name)
	if len(words) == 0 {
		return unsaid
	}
	joined := strings.Join(words, "")
	first, last := words[0], words[len(words)-1]
	switch {
	case isOneOf(joined, plainNames()), isOneOf(last, plainEndings()),
		len(words) > 1 && isOneOf(first, plainBeginnings()):
		return plain
	case isOneOf(last, secretNames()):
		return secret
	}
	for _, w := range secretWords() {
		if strings.Contains(joined, w) {
			return secret
		}
	}
	return unsaid
}

func isOneOf(s string, of []string) bool {
	for _, o := range of {
		if s == o {
			return true
		}
	}
	return false
}

// wordsOf parts a key into lower-case words: at separators, and where a capital
// follows a small letter.
func wordsOf(name string) []string {
	var words []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	small := false
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			end()
			small = false
			continue
		}
		if unicode.IsUpper(r) && small {
			end()
		}
		small = unicode.IsLower(r) || unicode.IsDigit(r)
		word.WriteRune(unicode.ToLower(r))
	}
	end()
	return words
}

// credentials finds what is a secret whatever its key: an address with a
// password in it, a data source, a private key, tokens of well-known form.
var credentials = regexp.MustCompile(`://[^/\s:@]*:[^/\s@]+@|^(?:!\S* )?[^\s:/@]+:[^\s@]*@[a-z0-9]*\(|-----BEGIN [A-Z ]*PRIVATE KEY|` +
	`(?i:\b(?:password|passwd|pwd|secret|token|accountkey|sharedaccesskey)=[^\s&;]+)|` +
	`\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AKIA[0-9A-Z]{8})|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.`)

// isCredential reports whether a text is a secret by its form, or has one in it.
func isCredential(s string) bool {
	return len(s) >= 6 && (credentials.MatchString(s) || secrets.Form(s) != "" || assignsSecret(s))
}

// Shown is a value as it may be shown: one that the key it stands under, or its
// own form, makes a secret is redacted.
func Shown(key, value string) string {
	if secrecyOf(key) == secret || isCredential(value) {
		return redacted
	}
	return value
}

// secretValue reports whether the field "value" of a map is named as a secret by
// a field beside it: {name: DB_PASSWORD, value: …}, {key: DB_PASSWORD, value: …}.
func secretValue(m *values.Node) bool { return m.Get("value") != nil && namesSecret(m) }

// namesSecret reports whether a field that names what a map's value is names a
// secret.
func namesSecret(m *values.Node) bool {
	if m == nil {
		return false
	}
	for _, field := range [...]string{"name", "key", "envName", "envVar", "variable"} {
		if n := m.Get(field); n != nil && n.Kind == values.String && secrecyOf(n.Text) == secret {
			return true
		}
	}
	return false
}

// plainKey reports whether the field "key" of a map is a selector's, a
// reference's or the name of a value, and no secret: {key: zone, operator: In},
// {name: s, key: k}, {key: LOG_LEVEL, value: debug}.
func plainKey(m *values.Node) bool {
	for _, sibling := range [...]string{"operator", "effect", "path", "name", "value", "values"} {
		if m.Get(sibling) != nil {
			return true
		}
	}
	return false
}
