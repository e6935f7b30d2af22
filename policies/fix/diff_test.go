package fix

import (
	"strings"
	"testing"

	"github.com/syncgate/syncgate/policies/secrets"
	"github.com/syncgate/syncgate/policies/values"
)

// TestDiffHidesSecrets changes "a: 1" in files that hold the secret "hunter2" in
// many ways; no diff has it.
func TestDiffHidesSecrets(t *testing.T) {
	tests := []struct {
		name, in string
		whole    bool // nothing had to be redacted
	}{
		{"beside", "a: 1\npassword: hunter2\n", false},
		{"two lines off", "a: 1\nb: 1\npassword: hunter2\n", true},
		{"before", "password: hunter2\na: 1\n", false},
		{"below a key", "credentials:\n  x: hunter2\na: 1\n", false},
		{"on the line itself", "m: {password: hunter2, b: 1}\na: 1\n", false},
		{"by a name", "env:\n- name: DB_PASSWORD\n  value: hunter2\na: 1\n", false},
		{"several lines", "token: |\n  hunter2\n  hunter2\na: 1\n", false},
		{"folded over lines", "token: x\n  hunter2\n  hunter2\na: 1\n", false},
		{"a URL", "url: https://u:hunter2@x/\na: 1\n", false},
		{"in a comment", "# password: hunter2\na: 1\n", false},
		{"in the line's comment", "a: 1 # was password=hunter2\n", false},
		{"in a comment behind another value", "a: 1\nb: 1 # token: hunter2\n", false},
		{"in a block of text", "x: |\n  y: 1\n  password: hunter2\na: 1\n", false},
		{"in quotes in a block of text", "x: |\n  {\"y\": 1, \"password\": \"hunter2\"}\na: 1\n", false},
		{"a Secret beside", "a: 1\n---\nkind: Secret\nstringData:\n  x: hunter2\n", true},
		{"a Secret in a list", "items:\n- kind: Secret\n  stringData: {x: hunter2}\na: 1\n", false},
		{"behind a byte order mark", "\ufeffpassword: hunter2\r\na: 1\r\n", false},
		{"none", "keyFile: x\nsecretName: y\na: 1\n", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := differ{limits: values.Limits{}.WithDefaults(), detector: secrets.NewDetector()}
			after := strings.Replace(tt.in, "a: 1", "a: 2", 1)
			got, whole, err := d.diff("v.yaml", []byte(tt.in), []byte(after))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(got, "hunter2") {
				t.Errorf("the diff has the secret:\n%s", got)
			}
			if !strings.Contains(got, "+a: 2") {
				t.Errorf("the diff has not the change:\n%s", got)
			}
			if whole != tt.whole || whole == strings.Contains(got, redacted) {
				t.Errorf("whole is %v:\n%s", whole, got)
			}
		})
	}
}

func TestDiffNames(t *testing.T) {
	d := differ{limits: values.Limits{}.WithDefaults(), detector: secrets.NewDetector()}
	if got, _, err := d.diff("a b.yaml", []byte("a: 1\n"), []byte("a: 2\n")); err != nil || !strings.HasPrefix(got, "--- a/a b.yaml\t\n+++ b/a b.yaml\t\n@@ ") {
		t.Errorf("%q, %v", got, err)
	}
	for _, name := range []string{"a\nb.yaml", "a\tb.yaml", `a"b.yaml`, `a\b.yaml`, "a\x1bb.yaml"} {
		if got, _, err := d.diff(name, []byte("a: 1\n"), []byte("a: 2\n")); err == nil {
			t.Errorf("%q: want an error, got %q", name, got)
		}
	}
}
