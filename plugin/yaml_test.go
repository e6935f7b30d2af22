package plugin

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestPluginYAML reads plugin.yaml as the stock cmp-server does: strictly, into
// the form of Argo CD's ConfigManagementPlugin.
func TestPluginYAML(t *testing.T) {
	type command struct {
		Command []string `json:"command,omitempty"`
		Args    []string `json:"args,omitempty"`
	}
	type find struct {
		command `json:",inline"`
		Glob    string `json:"glob"`
	}
	type config struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Spec struct {
			Version  string  `json:"version"`
			Init     command `json:"init,omitempty"`
			Generate command `json:"generate"`
			Discover struct {
				Find     find   `json:"find"`
				FileName string `json:"fileName"`
			} `json:"discover"`
			Parameters struct {
				Static  []announcement `json:"static"`
				Dynamic command        `json:"dynamic"`
			} `json:"parameters"`
			PreserveFileMode bool `json:"preserveFileMode"`
		} `json:"spec"`
	}
	data, err := os.ReadFile("plugin.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got config
	if err := yaml.UnmarshalStrict(data, &got); err != nil {
		t.Fatal(err)
	}
	want := config{APIVersion: "argoproj.io/v1alpha1", Kind: "ConfigManagementPlugin"}
	want.Metadata.Name = "syncgate"
	want.Spec.Generate.Command = []string{"syncgate-cmp", "generate"}
	want.Spec.Discover.Find.Command = []string{"syncgate-cmp", "discover"}
	want.Spec.Parameters.Dynamic.Command = []string{"syncgate-cmp", "parameters"}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(find{})); diff != "" {
		t.Errorf("plugin.yaml (-want +got):\n%s", diff)
	}
}
