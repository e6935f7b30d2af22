package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/values"
)

func TestHidden(t *testing.T) {
	const file = `a: shown
password: one
empty: {password: "", token: null}
switches: {password: true}
credentials:
  user: two
  secretName: shown
env:
  - {name: DB_PASSWORD, value: three}
  - {name: LOG_LEVEL, value: shown}
  - {name: x, valueFrom: {secretKeyRef: {name: shown, key: shown}}}
vars:
  - {key: DB_PASSWORD, value: six}
  - {key: LOG_LEVEL, value: shown}
  - {envName: API_TOKEN, value: seven}
  - {key: eight}
  - {key: zone, operator: In, value: shown}
url: https://u:four@x/
list: [{token: five}]
`
	root, err := values.Parse([]byte(file), "v.yaml", values.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range Hidden(root) {
		got = append(got, n.Text)
	}
	if diff := cmp.Diff([]string{"one", "two", "three", "six", "seven", "eight", "https://u:four@x/", "five"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, n := range Hidden(root.AsSecret()) {
		if n.Text == "" {
			t.Errorf("nothing is hidden at %s", n.Position())
		}
	}
	if all := Hidden(root.AsSecret()); len(all) < 12 {
		t.Errorf("only %d scalars of a Secret are hidden", len(all))
	}
}
