package secrets_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/policies/secrets"
)

func TestForm(t *testing.T) {
	// Made here, so that no scanner of this repository takes them for secrets.
	hook := "https://hooks.slack.com/" + "services/T0123456/B0123456/" + strings.Repeat("aB3", 8)
	pair := base64.StdEncoding.EncodeToString([]byte("admin:hunter2"))
	for text, want := range map[string]string{
		"https://tok123456@github.com/x":             "an address with a token in it",
		"git+https://abcdefghijklmnopqrst@host/x":    "an address with a token in it",
		"see HTTPS://tok123456@github.com/x, please": "an address with a token in it",
		"https://git@github.com/x":                   "",
		"https://john.doe@bitbucket.org/team/x":      "",
		"https://github.com/x@v1.2.3":                "",
		"https://${TOKEN123}@github.com/x":           "",
		"https://github.com/tok123456@x":             "",
		"ssh://git@github.com/org/repo":              "",
		"mailto:john123456@example.com":              "",
		hook:                                         "a Slack webhook",
		"https://hooks.slack.com/services/":          "",
		"https://hooks.slack.com/services/${HOOK}":   "",
		"Authorization: Basic " + pair:               "a user and password of basic authentication",
		"basic " + strings.TrimRight(pair, "="):      "a user and password of basic authentication",
		"Basic authentication is switched off":       "",
		"Basic ${CREDENTIALS}":                       "",
		"Authorization: Bearer abcdef0123456789":     "a bearer token",
		"Bearer authentication":                      "",
		"Bearer ${TOKEN}":                            "",
		"bearer of bad news":                         "",
		"":                                           "",
	} {
		if got := secrets.Form(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzForm(f *testing.F) {
	for _, s := range []string{"https://tok123456@github.com/x", "Basic YWRtaW46aHVudGVyMg==", "Bearer abcdef0123456789"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := secrets.Form(text); got != "" && secrets.Form("x "+text+" x") == "" {
			t.Errorf("%q is %s alone and nothing inside a text", text, got)
		}
	})
}
