package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/tools/txtar"

	"github.com/syncgate/syncgate/plugin/inject"
	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/gate"
)

const sha = "0123456789abcdef0123456789abcdef01234567"

// repository reads testdata/NAME.txtar as a repository.
func repository(t *testing.T, name string) fs.FS {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := txtar.FS(archive)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func request(dir string, change func(*Request)) Request {
	req := Request{
		Dir: dir, App: "shop", Namespace: "default", Repository: "https://git.example.com/r.git", Revision: sha,
		Hooks: &inject.Config{Image: "registry.example.com/syncgate:v1", Server: "https://syncgate.example.com"},
	}
	if change != nil {
		change(&req)
	}
	return req
}

// TestGenerate asks for clusters of the repositories in testdata. want lists
// the objects that are rendered; err is in the error's first line, and refused
// says which kind of error it is.
// alone has no gate server.
func alone(r *Request) {
	c := *r.Hooks
	c.Server = ""
	r.Hooks = &c
}

func TestGenerate(t *testing.T) {
	hooks := "Job syncgate-presync-shop-eu-01234567, Job syncgate-postsync-shop-eu-01234567, Job syncgate-syncfail-shop-eu-01234567"
	for _, tt := range []struct {
		name, repository, dir string
		change                func(*Request)
		want, err             string
		refused               bool
	}{
		{name: "named cluster", repository: "shop", dir: "apps/shop", change: func(r *Request) { r.Cluster = "eu" },
			want: "ConfigMap shop-eu, " + hooks},
		{name: "without hook Jobs", repository: "shop", dir: "apps/shop", change: func(r *Request) { r.Cluster, r.Hooks = "us", nil },
			want: "ConfigMap shop-us"},
		{name: "cluster by its folder", repository: "shop", dir: "apps/shop/values/eu", want: "ConfigMap shop-eu, " + hooks},
		{name: "gate by path", repository: "shop", dir: ".", change: func(r *Request) { r.Gate, r.Cluster = "apps/shop", "eu" },
			want: "ConfigMap shop-eu, " + hooks},
		{name: "gate by file", repository: "shop", dir: "other", change: func(r *Request) { r.Gate, r.Cluster = "../apps/shop/syncgate.yaml", "eu" },
			want: "ConfigMap shop-eu, " + hooks},
		{name: "gate by name", repository: "shop", dir: "other", change: func(r *Request) { r.Gate, r.Cluster = "shop", "eu" },
			want: "ConfigMap shop-eu, " + hooks},
		{name: "kustomize by cluster", repository: "kustomize", dir: "overlays/us", change: alone, want: "ConfigMap site-us"},
		{name: "plain by cluster", repository: "plain", dir: "clusters/eu", change: alone, want: "ConfigMap site-eu"},
		{name: "no such gate", repository: "shop", dir: "other", change: func(r *Request) { r.Gate = "shopp" },
			err: "find gate shopp: no such gate; the repository has shop"},
		{name: "no gate above", repository: "shop", dir: "other", err: "find gate: no syncgate.yaml in other or above it; the repository has apps/shop/syncgate.yaml"},
		{name: "path that leaves", repository: "shop", dir: "../..", err: "leaves the repository"},
		{name: "gate that leaves", repository: "shop", dir: "other", change: func(r *Request) { r.Gate = "../../syncgate.yaml" }, err: "leaves the repository"},
		{name: "no such cluster", repository: "shop", dir: "apps/shop", change: func(r *Request) { r.Cluster = "ue" }, err: "ue"},
		{name: "which cluster", repository: "shop", dir: "apps/shop", err: `set the plugin parameter "cluster" (or the plugin variable CLUSTER) to one of eu, us`},
		{name: "drift", repository: "drift", dir: ".", change: func(r *Request) { r.Cluster = "eu" },
			err: "1 finding in gate shop: replicas differs: ", refused: true},
		{name: "drift refuses every cluster", repository: "drift", dir: ".", change: func(r *Request) { r.Cluster = "us" },
			err: "1 finding in gate shop: replicas differs: ", refused: true},
		{name: "nothing rendered", repository: "empty", dir: "nothing", err: "gate nothing renders nothing for cluster eu", refused: true},
		{name: "hooks alone", repository: "empty", dir: "hooks", err: "gate hooks renders 2 hooks and nothing else for cluster eu", refused: true},
		{name: "an empty list", repository: "empty", dir: "list", err: "gate list renders nothing for cluster eu", refused: true},
		{name: "no source", repository: "empty", dir: "values", err: "gate values in values/syncgate.yaml only guards values"},
		{name: "no revision", repository: "shop", dir: "apps/shop", change: func(r *Request) { r.Cluster, r.Revision = "eu", "v1.2.3" },
			err: `hook Jobs are pinned to a full commit SHA, found revision "v1.2.3"`},
		{name: "no revision, no checks and no server", repository: "plain", dir: "clusters/eu", change: func(r *Request) { alone(r); r.Revision = "" }, want: "ConfigMap site-eu"},
		{name: "no revision and no checks", repository: "plain", dir: "clusters/eu", change: func(r *Request) { r.Revision = "" },
			err: "hook Jobs are pinned to a full commit SHA"},
		{name: "name taken", repository: "taken", dir: ".", err: "has the name of Syncgate's own hook Job"},
		{name: "broken gate", repository: "broken", dir: ".", err: "load gate: "},
		{name: "missing values file", repository: "missing", dir: ".", err: "values/us.yaml"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			err := Generate(t.Context(), repository(t, tt.repository), request(tt.dir, tt.change), &out)
			if tt.err == "" {
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, names(t, out.Bytes())); diff != "" {
					t.Errorf("objects (-want +got):\n%s\n%s", diff, out.Bytes())
				}
				return
			}
			first, _, _ := strings.Cut(Explain(errOrNothing(err)), "\n")
			if err == nil || !strings.Contains(first, tt.err) {
				t.Errorf("got %q, want %q", first, tt.err)
			}
			var refused *RefusedError
			if errors.As(err, &refused) != tt.refused {
				t.Errorf("refused is %t, want %t: %v", !tt.refused, tt.refused, err)
			}
			if out.Len() > 0 {
				t.Errorf("an error, and written all the same:\n%s", out.Bytes())
			}
		})
	}
}

func errOrNothing(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

// names are the kinds and names of the objects in a stream.
func names(t *testing.T, data []byte) string {
	t.Helper()
	var list []string
	for doc := range strings.SplitSeq(string(data), "---\n") {
		kind, name := "", ""
		for line := range strings.SplitSeq(doc, "\n") {
			if v, ok := strings.CutPrefix(line, "kind: "); ok {
				kind = v
			}
			if v, ok := strings.CutPrefix(line, "  name: "); ok && name == "" {
				name = v
			}
		}
		if kind != "" {
			list = append(list, kind+" "+name)
		}
	}
	return strings.Join(list, ", ")
}

// TestSameInputSameBytes renders from memory and from a folder, again and
// again.
func TestSameInputSameBytes(t *testing.T) {
	tree := repository(t, "shop")
	dir := t.TempDir()
	if err := os.CopyFS(dir, tree); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var first []byte
	for i, source := range []fs.FS{tree, root.FS(), os.DirFS(dir), tree, root.FS()} {
		var out bytes.Buffer
		if err := Generate(t.Context(), source, request("apps/shop", func(r *Request) { r.Cluster = "eu" }), &out); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = out.Bytes()
		} else if diff := cmp.Diff(string(first), out.String()); diff != "" {
			t.Errorf("render %d differs (-first +this):\n%s", i, diff)
		}
	}
}

// TestGatesAreNotChanged: a Gate that is kept serves many requests, so that none may
// leave anything of its own in it.
func TestGatesAreNotChanged(t *testing.T) {
	tree := repository(t, "shop")
	known := gate.NewKnown()
	kept, err := known.Load(tree, "apps/shop/syncgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, cluster := range []string{"eu", "us", "eu"} {
		var out bytes.Buffer
		if err := Generate(t.Context(), tree, request("apps/shop", func(r *Request) { r.Cluster, r.Gates = cluster, known }), &out); err != nil {
			t.Fatal(err)
		}
		if err := Parameters(t.Context(), tree, request("apps/shop", func(r *Request) { r.Cluster, r.Gates = cluster, known }), &out); err != nil {
			t.Fatal(err)
		}
	}
	again, err := known.Load(tree, "apps/shop/syncgate.yaml")
	if err != nil || again != kept {
		t.Fatal("the Gate was not kept", err)
	}
	fresh, err := gate.Load(tree, "apps/shop/syncgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fresh, kept, cmpopts.IgnoreTypes(&expr.Program{})); diff != "" {
		t.Errorf("-decoded +kept after requests:\n%s", diff)
	}
}

func TestDiscover(t *testing.T) {
	for _, tt := range []struct {
		name, repository string
		req              Request
		want             string
	}{
		{"its own", "shop", Request{Dir: "apps/shop"}, "apps/shop/syncgate.yaml\n"},
		{"above, with values here", "shop", Request{Dir: "apps/shop/values/eu"}, "apps/shop/syncgate.yaml\n"},
		{"above, with nothing here", "shop", Request{Dir: "apps/shop/docs"}, ""},
		{"above, and the Application names the cluster", "shop", Request{Dir: "apps/shop/docs", Cluster: "eu"}, "apps/shop/syncgate.yaml\n"},
		{"none", "shop", Request{Dir: "other"}, ""},
		{"none, though the Application names a cluster", "shop", Request{Dir: "other", Cluster: "eu"}, ""},
		{"elsewhere, and the Application names it", "shop", Request{Dir: "other", Gate: "shop"}, "shop\n"},
		{"root", "plain", Request{Dir: "."}, "syncgate.yaml\n"},
		{"guards values only", "empty", Request{Dir: "values"}, ""},
		{"broken: claimed, so that it fails", "broken", Request{Dir: "."}, "syncgate.yaml\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Discover(repository(t, tt.repository), tt.req, &out); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParameters(t *testing.T) {
	for _, tt := range []struct {
		name, dir string
		required  bool
		value     string
	}{
		{"to be chosen", "apps/shop", true, ""},
		{"by folder", "apps/shop/values/us", false, "us"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Parameters(t.Context(), repository(t, "shop"), Request{Dir: tt.dir}, &out); err != nil {
				t.Fatal(err)
			}
			var list []announcement
			dec := json.NewDecoder(&out)
			dec.DisallowUnknownFields()
			if err := dec.Decode(&list); err != nil {
				t.Fatal(err)
			}
			if len(list) != 2 || list[0].Name != "cluster" || list[1].Name != "gate" {
				t.Fatalf("got %+v", list)
			}
			c := list[0]
			if c.Required != tt.required || c.String != tt.value || !strings.HasSuffix(c.Tooltip, ": eu, us") || c.ItemType != "string" || c.CollectionType != "string" {
				t.Errorf("got %+v, want required %t and value %q", c, tt.required, tt.value)
			}
		})
	}
}
