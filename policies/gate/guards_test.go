package gate_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/gate"
)

const guarded = `apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: chat}
spec:
  namespace: chat
  clusters: [{name: eu}]
  guards:
    - apiVersion: apps/v1
      kind: Deployment
      name: web
      fields:
        - path: spec.template.spec.containers[name=web].image
          value: ${values.image}
`

func TestGuards(t *testing.T) {
	g, err := gate.Decode([]byte(guarded+"    - {use: mattermost/server, name: chat}\n"), "syncgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := []gate.Guard{{
		APIVersion: "apps/v1", Kind: "Deployment", Name: "web",
		Fields: []gate.GuardField{{Path: "spec.template.spec.containers[name=web].image", Value: "${values.image}"}},
	}, {
		Use: "mattermost/server", APIVersion: "installation.mattermost.com/v1beta1", Kind: "Mattermost", Name: "chat",
		Fields: []gate.GuardField{{
			Path:  "spec.image",
			Value: `${values.mattermostCR.?spec.?image.orValue("mattermost/mattermost-enterprise-edition")}`,
			Unset: "mattermost/mattermost-enterprise-edition",
		}, {Path: "spec.version", Value: "${values.mattermostCR.spec.version}"}},
	}}
	if d := cmp.Diff(want, g.Spec.Guards); d != "" {
		t.Error(d)
	}
	segments, err := g.Spec.Guards[0].Fields[0].Segments()
	if d := cmp.Diff([]string{"spec", "template", "spec", "containers", "[name=web]", "image"}, segments); d != "" || err != nil {
		t.Error(d, err)
	}
}

func TestGuardMistakes(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"no namespace", "  namespace: chat\n", "", "set spec.namespace"},
		{"no kind", "      kind: Deployment\n", "", "spec.guards[0].kind: expected this field"},
		{"kind", "Deployment", "deployments", `expected a kind, found "deployments"`},
		{"apiVersion", "apps/v1", "apps/v1/x", `found "apps/v1/x"`},
		{"name", "name: web\n", "name: Web\n", "expected an object's name"},
		{"no fields", "fields:\n        - path: spec.template.spec.containers[name=web].image\n          value: ${values.image}\n", "fields: []\n", "expected at least one"},
		{"star", "[name=web]", "[*]", "has a star"},
		{"status", "path: spec.template.spec.containers[name=web].image", "path: status.version", "what the object is to be"},
		{"metadata", "path: spec.template.spec.containers[name=web].image", "path: metadata.labels.version", "what the object is to be"},
		{"path", "path: spec.template.spec.containers[name=web].image", "path: spec..x", "between two dots"},
		{"template", "${values.image}", "${valeus.image}", "undeclared reference to 'valeus'"},
		{"preset", "apiVersion: apps/v1\n      kind", "use: mattermost/nope\n      kind", "expected one of mattermost/server"},
		{"a check's preset", "apiVersion: apps/v1\n      kind", "use: mattermost/settled\n      kind", "expected one of mattermost/server"},
		{"path twice", "          value: ${values.image}\n", "          value: ${values.image}\n        - {path: \"spec.template.spec.containers[name=web].image\", value: x}\n", "a path of its own"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := strings.Replace(guarded, tt.old, tt.new, 1)
			if in == guarded {
				t.Fatal("the case changes nothing")
			}
			_, err := gate.Decode([]byte(in), "syncgate.yaml")
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "syncgate.yaml:") {
				t.Errorf("want an error with %q and a place, got %v", tt.want, err)
			}
		})
	}
}
