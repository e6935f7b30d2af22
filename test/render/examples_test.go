package render

import (
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/plugin"
	"github.com/syncgate/syncgate/plugin/inject"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
)

// TestExamples validates every Gate of the examples, and renders each of its
// clusters, with the hook Jobs. What Flux alone can
// render must be told as that.
func TestExamples(t *testing.T) {
	repository := os.DirFS("../..")
	files, err := gate.Find(repository, "examples")
	if err != nil || len(files) == 0 {
		t.Fatalf("find Gates: %v, %d files", err, len(files))
	}
	rendered := 0
	for _, file := range files {
		t.Run(path.Dir(file), func(t *testing.T) {
			g, err := gate.Load(repository, file)
			if err != nil {
				t.Fatal(err)
			}
			if g, err = policies.Expand(t.Context(), repository, g, policies.Options{}); err != nil {
				t.Fatal(err)
			}
			findings, err := policies.Validate(t.Context(), repository, g, policies.Options{})
			if err != nil || len(findings) > 0 {
				t.Errorf("validate: %v, %v", err, findings)
			}
			for _, c := range g.Spec.Clusters {
				renders(t, repository, g, c.Name)
				rendered++
			}
		})
	}
	if rendered < 10 {
		t.Errorf("only %d clusters were rendered", rendered)
	}
}

func renders(t *testing.T, repository fs.FS, g *gate.Gate, cluster string) {
	t.Helper()
	objects, err := plugin.Objects(t.Context(), repository, plugin.Request{
		Dir: g.Dir(), Cluster: cluster, App: "app", Namespace: "prod",
		Repository: "https://git.example.com/r.git", Revision: strings.Repeat("0123456789", 4),
		Hooks: &inject.Config{Image: "registry.example.com/syncgate:v1", Server: "https://syncgate.example.com"},
	})
	if err != nil && strings.Contains(err.Error(), "let Flux itself render it") {
		return
	}
	if err != nil {
		t.Errorf("render cluster %s: %s", cluster, plugin.Explain(err))
		return
	}
	jobs := 0
	for _, o := range objects {
		if o.Kind == "Job" && strings.HasPrefix(o.Name, "syncgate-") {
			jobs++
		}
	}
	if jobs != 3 || jobs == len(objects) {
		t.Errorf("cluster %s: %d hook Jobs among %d objects", cluster, jobs, len(objects))
	}
}

// TestExamplesAreListed holds the list of examples, and what each says of
// itself, against the folders there are.
func TestExamplesAreListed(t *testing.T) {
	list, err := os.ReadFile("../../examples/README.md")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if !strings.Contains(string(list), "]("+e.Name()+"/)") {
			t.Errorf("examples/README.md does not list %s", e.Name())
		}
		if _, err := os.Stat(path.Join("../../examples", e.Name(), "README.md")); err != nil {
			t.Errorf("%s: %v", e.Name(), err)
		}
	}
}
