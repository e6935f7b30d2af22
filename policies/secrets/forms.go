package secrets

import (
	"encoding/base64"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

const slackForm = `hooks\.slack\.com/(?:services|workflows|triggers)/[A-Z0-9]{3,}/[A-Za-z0-9]+/[A-Za-z0-9]+`

// The expressions are compiled when a text first needs them: most programs never
// do.
var (
	userOf    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)\bhttps?://([A-Za-z0-9._~-]+)@`) })
	slackHook = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(slackForm) })
	basic     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i:\bbasic)[ \t]+([A-Za-z0-9+/]{6,}={0,2})`) })
	bearer    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i:\bbearer)[ \t]+([A-Za-z0-9._~+/-]{16,}=*)`) })
)

// Form says which secret a text is or holds by the way it is written, "" when it
// is none. It is for what the library of detectors has no kind for, quick on most
// texts, and safe for concurrent use.
func Form(text string) string {
	switch {
	case strings.Contains(text, "://") && matches(userOf, text, tokenLike):
		return "an address with a token in it"
	case strings.Contains(text, "hooks.slack.com/") && slackHook().MatchString(text):
		return "a Slack webhook"
	case strings.Contains(text, "asic") && matches(basic, text, userAndPassword):
		return "a user and password of basic authentication"
	case strings.Contains(text, "earer") && matches(bearer, text, tokenLike):
		return "a bearer token"
	}
	return ""
}

// matches reports whether the first group of a match holds up.
func matches(expr func() *regexp.Regexp, text string, holds func(group string) bool) bool {
	for _, m := range expr().FindAllStringSubmatch(text, -1) {
		if holds(m[1]) {
			return true
		}
	}
	return false
}

// tokenLike tells a token from the name of a person: it is long, or a long name
// has digits in it.
func tokenLike(s string) bool {
	const name, long = 9, 20
	digit, letter := strings.ContainsAny(s, "0123456789"), strings.ContainsFunc(s, unicode.IsLetter)
	return len(s) >= long || len(s) >= name && digit && letter
}

// userAndPassword reports base64 of "user:password".
func userAndPassword(s string) bool {
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	user, password, found := strings.Cut(string(data), ":")
	printable := func(s string) bool {
		return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
	}
	return err == nil && found && user+password != "" && printable(user) && printable(password)
}
