package rules

import (
	"regexp"
	"strings"
	"sync"
)

// assignmentForm is a name and its value in a text: a line of an .ini or .env file,
// of YAML or of code, or a member of JSON. The groups are the name, the sign, the
// value in double and in single quotes, and one without.
const assignmentForm = `(?m)(?:^|[{,;])[ \t]*(?:-[ \t]+|export[ \t]+|--)?["']?([A-Za-z_][A-Za-z0-9_.-]*)["']?[ \t]*([:=])[ \t]*` +
	`(?:"([^"\n]+)"|'([^'\n]+)'|([^\s"',;{}\[\]()]+))`

var assignment = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(assignmentForm) })

// assignsSecret reports whether a text gives a name that names a secret a value:
// the file in a block string, JSON in a text.
func assignsSecret(text string) bool {
	if !strings.ContainsAny(text, ":=") || !namesSecretIn(text) {
		return false
	}
	lines := strings.Contains(text, "\n")
	for _, m := range assignment().FindAllStringSubmatchIndex(text, -1) {
		group := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return text[m[2*i]:m[2*i+1]]
		}
		name, value, bare := group(1), group(3)+group(4), group(5)
		if bare != "" && (!ends(text[m[1]:]) || !lines && group(2) == ":") {
			continue // a part of a sentence, or a label: "Password: see below"
		}
		if textSecret(name, value+bare) && holdsSecret(name, value+bare) {
			return true
		}
	}
	return false
}

// namesSecretIn is false for most texts, and cheap.
func namesSecretIn(text string) bool {
	text = strings.ToLower(text)
	for _, word := range [...]string{"pass", "pwd", "secret", "token", "key", "credential", "authorization"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// ends reports whether nothing more belongs to a value that is not quoted.
func ends(rest string) bool {
	rest = strings.TrimLeft(rest, " \t\r")
	return rest == "" || strings.ContainsRune("\n,;}#", rune(rest[0]))
}

// textEndings are last words of names in a text that speak about a secret and do
// not hold one, beside plainEndings: a key of values keeps its value hidden under
// them, for in a report to hide too much costs little.
func textEndings() []string {
	return []string{
		"method", "alg", "flow", "lifetime", "lifespan", "expiration", "prefix", "header", "env", "engine", "limit", "live",
		"endpoint", "url", "uri",
	}
}

// textSecret is secrecyOf for a name in a text, where a name alone says less: a
// key or a pin may be anything.
func textSecret(name, value string) bool {
	if secrecyOf(name) != secret {
		return false
	}
	words := wordsOf(name)
	last, joined := words[len(words)-1], strings.Join(words, "")
	switch {
	case isOneOf(last, []string{"pass", "pwd"}):
		return true
	case isOneOf(last, textEndings()):
		return isHeader(value)
	case last == "key" && len(words) > 1 && isKeyName(words[len(words)-2], value):
		return false
	}
	for _, w := range secretWords() {
		if strings.Contains(joined, w) && (w != "authorization" || isHeader(value)) {
			return true
		}
	}
	return false
}

// header is what a header of authorization holds. The name is given to a mode, too:
// "authorization: RBAC".
var header = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?i:basic|bearer)[ \t]+[^ \t]`) })

func isHeader(value string) bool { return header().MatchString(value) }

// isKeyName reports whether a value is the name of a key in a Secret, under a name
// that ends in before and "key". A secret_key may be one of S3 or Django as well,
// so that there the value itself has to name a secret: "secretKey: DB_PASSWORD".
func isKeyName(before, value string) bool {
	return dataKey().MatchString(value) && (before == "password" || before == "secret" && secrecyOf(value) == secret)
}

// amount is a number or a time.
var amount = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^-?[0-9.]+(?:ms|s|m|h|d)?$`) })

// holdsSecret reports whether what a name in a text is given may be a secret, and
// is no switch, amount, place or variable.
func holdsSecret(name, value string) bool {
	lower := strings.ToLower(value)
	switch {
	case pointsElsewhere(value), namesObject(name, value), isVariable(value), strings.Contains(value, "://"):
		return false
	case strings.HasPrefix(value, "/") && strings.Count(value, "/") > 1, strings.HasPrefix(value, "./"):
		return false
	case isOneOf(lower, []string{
		"true", "false", "yes", "no", "on", "off", "null", "nil", "none", "undefined", "string", "required", "optional", "~", "|", "|-", ">", ">-", "bearer", "basic",
	}):
		return false
	case amount().MatchString(value): // a limit or a time, but for a password
		return ofPassword(name)
	}
	return strings.Trim(value, "*xX.-_") != ""
}

// ofPassword reports a name that ends as one of a password does.
func ofPassword(name string) bool {
	words := wordsOf(name)
	last := words[len(words)-1]
	return strings.HasPrefix(last, "pass") || strings.HasSuffix(last, "password") || strings.HasSuffix(last, "passwd") || strings.HasSuffix(last, "pwd")
}

// isVariable reports a value that a shell, a template or a program fills in.
func isVariable(value string) bool {
	if len(value) > 1 && value[0] == '$' {
		c := value[1] | 0x20
		return c >= 'a' && c <= 'z' || value[1] == '_' || value[1] == '{' || value[1] == '('
	}
	for _, start := range []string{"%", "<", "@", "&", "!", "process.env", "os.environ", "env.", "env:", "var.", "local."} {
		if strings.HasPrefix(value, start) {
			return true
		}
	}
	return false
}
