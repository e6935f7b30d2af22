package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/values"
)

// TestNamesOfKeys shows that the name of a key of a Secret is no finding, though a
// report would not show it.
func TestNamesOfKeys(t *testing.T) {
	const file = `auth:
  existingSecret: db
  secretKeys: {adminPasswordKey: postgres-password, replicationKey: repl, other: hunter2, tokenKey: "hunter 2"}
  passwordKey: "hunter 2"
  apiKey: hunter2
`
	root, err := values.Parse([]byte(file), "v.yaml", values.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, said := range NewInspector([]ForbiddenRule{{What: ForbiddenSecrets}}, nil).Look(root) {
		got = append(got, said.Path)
	}
	if diff := cmp.Diff([]string{"auth.secretKeys.other", "auth.secretKeys.tokenKey", "auth.passwordKey", "auth.apiKey"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
