package plugin

import (
	"bytes"
	"crypto/sha256"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/tree"
)

func TestNarrowed(t *testing.T) {
	for _, tt := range []struct{ source, dir, want string }{
		{"apps/shop", "apps/shop", "."},
		{"apps/shop", "shop", "apps"},
		{"apps/shop", ".", "apps/shop"},
		{"apps/shop/", "", "apps/shop"},
		{"", "", "."},
		{".", ".", "."},
		{"apps/shop", "hop", "."},
		{"apps/shop", "elsewhere", "."},
		{"../x", ".", "."},
		{"/apps", ".", "."},
		{"apps", "../apps", "."},
	} {
		if got := Narrowed(tt.source, tt.dir); got != tt.want {
			t.Errorf("Narrowed(%q, %q) is %q, want %q", tt.source, tt.dir, got, tt.want)
		}
	}
}

func TestMount(t *testing.T) {
	whole := repository(t, "narrow")
	part, err := fs.Sub(whole, "apps/shop")
	if err != nil {
		t.Fatal(err)
	}
	mounted := Mount(part, "apps/shop")
	if err := fstest.TestFS(mounted, "apps/shop/syncgate.yaml", "apps/shop/deep/README.md"); err != nil {
		t.Error(err)
	}
	mounted = Mount(sums{part}, "apps/shop")
	text, err := fs.ReadFile(whole, "apps/shop/syncgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if sum, ok := tree.New(mounted).Sum("apps/shop/syncgate.yaml"); !ok || sum != sha256.Sum256(text) {
		t.Errorf("the Gate's sum is %x, %t", sum, ok)
	}
	for _, name := range []string{"syncgate.yaml", "clusters", "apps", "apps/shop/nope"} {
		if _, ok := tree.New(mounted).Sum(name); ok {
			t.Errorf("%s has a sum", name)
		}
	}
	for _, name := range []string{"clusters", "apps/other", "apps/sho", "charts/shop/Chart.yaml"} {
		if _, err := fs.Stat(mounted, name); err == nil {
			t.Errorf("%s is there, and should not be", name)
		}
	}
	for name, want := range map[string]bool{"apps/shop": true, "apps/shop/nope": true, "apps": false, ".": false, "clusters/eu": false} {
		if tree.New(mounted).Holds(name) != want || !tree.New(Mount(whole, ".")).Holds(name) {
			t.Errorf("%s: expected it to be held whole: %v, and always by the whole", name, want)
		}
	}
	if Mount(whole, ".") == nil {
		t.Error("the whole repository is none")
	}
}

// sums is a tree that knows its files' sums.
type sums struct{ fs.FS }

func (s sums) SumFile(name string) (sum [sha256.Size]byte, ok bool) {
	data, err := fs.ReadFile(s.FS, name)
	return sha256.Sum256(data), err == nil
}

// TestNarrow renders from a part of the repository. what is the part that was
// sent.
func TestNarrow(t *testing.T) {
	for _, tt := range []struct{ name, root, dir, err string }{
		{"all of it", ".", "apps/shop", ""},
		{"the Application's path alone", "apps/shop", "apps/shop",
			"gate shop reads what Argo CD did not send: add /charts/shop;/clusters/eu;/clusters/us to the annotation argocd.argoproj.io/manifest-generate-paths (only apps/shop was sent)"},
		{"the folder above", "apps", "apps/shop", "add /charts/shop;/clusters/eu;/clusters/us to the annotation"},
		{"below the Gate", "apps/shop/deep", "apps/shop/deep", `needs its folder there, as in "/apps/shop"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			part, err := fs.Sub(repository(t, "narrow"), tt.root)
			if err != nil {
				t.Fatal(err)
			}
			req := request(tt.dir, func(r *Request) { r.Hooks, r.Cluster, r.Root = nil, "eu", tt.root })
			var out bytes.Buffer
			err = Generate(t.Context(), Mount(part, tt.root), req, &out)
			if tt.err == "" {
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff("ConfigMap eu", names(t, out.Bytes())); diff != "" {
					t.Error(diff)
				}
				return
			}
			if first, _, _ := strings.Cut(Explain(errOrNothing(err)), "\n"); !strings.Contains(first, tt.err) {
				t.Errorf("first line %q, want %q", first, tt.err)
			}
		})
	}
}
