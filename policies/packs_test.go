package policies_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/packs"
)

// TestMattermostPack asks the pack's rules of the values of each chart.
func TestMattermostPack(t *testing.T) {
	operator := "mattermostCR: {spec: {image: mattermost/mattermost-enterprise-edition, version: 11.6.1}}\n"
	enterprise := "mattermostApp: {image: {repository: mattermost/mattermost-enterprise-edition, tag: 11.6.1@sha256:ab}}\n"
	team := "image: {repository: mattermost/mattermost-team-edition, tag: 11.6.1}\n"
	mysql := "[{name: MM_SQLSETTINGS_DRIVERNAME, value: mysql}]"
	tests := []struct {
		name, eu, us string
		want         []string
	}{
		{name: "operator chart", eu: operator, us: operator},
		{name: "enterprise chart", eu: enterprise, us: enterprise},
		{name: "team chart", eu: team, us: team},
		{name: "no values at all"},
		{name: "mirror of the registry", eu: team, us: "image: {repository: mirror.example.com/x/mattermost-team-edition, tag: 11.6.1}\n"},
		{name: "two editions", eu: team, us: operator, want: []string{"mattermost/one-edition"}},
		{name: "latest", eu: "mattermostCR: {spec: {version: latest}}\n", us: "mattermostApp: {image: {tag: latest}}\n",
			want: []string{"mattermost/version-is-pinned", "mattermost/version-is-pinned"}},
		{name: "size", eu: "mattermostCR: {spec: {size: 100users}}\n", want: []string{"mattermost/size-is-not-set"}},
		{name: "mysql with the operator", eu: "mattermostCR: {spec: {version: 11.0.0, mattermostEnv: " + mysql + "}}\n", want: []string{"mattermost/postgres-from-11"}},
		{name: "mysql, enterprise", eu: "mattermostApp: {image: {tag: 11.6.1}, extraEnv: " + mysql + "}\n", want: []string{"mattermost/postgres-from-11"}},
		{name: "mysql, team", eu: "image: {tag: 12.0.0}\nextraEnvVars: " + mysql + "\n", want: []string{"mattermost/postgres-from-11"}},
		{name: "mysql before 11", eu: "image: {tag: 10.11.2}\nextraEnvVars: " + mysql + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found, err := validate(t, fleet("  packs: [mattermost]\n  perCluster:\n  - path: \"**\"\n", "", tt.eu, tt.us, ""))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				got = append(got, f.Rule)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPacksHold runs the built-in packs' own cases.
func TestPacksHold(t *testing.T) {
	for _, name := range packs.Names() {
		p, err := packs.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		results, err := policies.TestPack(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		tested := map[string]bool{}
		for _, c := range p.Cases {
			for _, rule := range c.Want {
				tested[rule] = true
			}
		}
		for _, r := range p.Rules {
			if !tested[r.Name] {
				t.Errorf("no case of pack %s breaks its rule %s", name, r.Name)
			}
		}
		for _, c := range p.Changes {
			if !tested[c.Name] {
				t.Errorf("no case of pack %s breaks its rule %s", name, c.Name)
			}
		}
		for _, r := range results {
			if len(r.Problems) > 0 {
				t.Errorf("%s: %s:\n%s\n%s", name, r.Case, strings.Join(r.Problems, "\n"), strings.Join(brief(r.Findings), "\n"))
			}
		}
	}
}
