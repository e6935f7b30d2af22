package delivery

import (
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// TestPatternsAreArgoCDs holds what a pattern finds in a tree against what the call
// that Argo CD makes finds in the same files on disk, links included.
func TestPatternsAreArgoCDs(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{
		"env/a.yaml", "env/z.yaml", "env/.hidden.yaml", "env/a/z.yaml", "env/a-b/z.yaml", "env/a/b/z.yaml", "env/a.b/v.yaml",
		"env/x.txt", "other/v.yaml", "env/file", "v.yaml",
	} {
		if err := os.MkdirAll(filepath.Join(root, path.Dir(name)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte("a: 1"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"env/link": "../other", "env/l.yaml": "a.yaml", "alias": "env"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	rooted, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer rooted.Close()
	for _, pattern := range []string{
		"*.yaml", "env/*.yaml", "env/?.yaml", "env/[!a].yaml", "env/[a-l].yaml", "env/*/z.yaml", "env/*/*.yaml", "env/*/*/z.yaml", "env/**",
		"env/**/*.yaml", "**/v.yaml", "env/**/z.yaml", "env/**/**/z.yaml", "env/a**/z.yaml", "none/*.yaml", "alias/*.yaml", "env/link/*",
	} {
		x := &expansion{tree: tree.New(rooted.FS())}
		got, err := x.globbed(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
		onDisk, err := doublestar.FilepathGlob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, name := range onDisk {
			rel, err := filepath.Rel(root, name)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, rel)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-Argo CD +found):\n%s", pattern, d)
		}
	}
}

// unsorted lists folders in no order, as a tree of Git need not have that of names.
type unsorted struct{ fstest.MapFS }

func (u unsorted) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := u.MapFS.ReadDir(name)
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list, err
}

func TestPatternsSort(t *testing.T) {
	x := &expansion{tree: tree.New(unsorted{fstest.MapFS{"a.yaml": {}, "b.yaml": {}, ".git/c.yaml": {}}})}
	got, err := x.globbed("**/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a.yaml", "b.yaml"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestPatternsAndLinks: Argo CD tells files apart by the paths that its library
// gives, through links as well; that is not restated here.
func TestPatternsAndLinks(t *testing.T) {
	link := func(target string) *fstest.MapFile {
		return &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte(target)}
	}
	tests := []struct {
		name, files, problem string
		links                fstest.MapFS
	}{
		{"a file that is a link", "/env/*.yaml", "finds env/l.yaml by the pattern env/*.yaml through a symbolic link", fstest.MapFS{"env/l.yaml": link("v.yaml")}},
		{"a folder that is a link", "/*/v.yaml", "finds alias/v.yaml by the pattern */v.yaml through a symbolic link", fstest.MapFS{"alias": link("env")}},
		{"a link named outright", "/env/*.yaml, /alias/v.yaml", "finds the values file env/v.yaml, which alias/v.yaml is a symbolic link to", fstest.MapFS{"alias": link("env")}},
		{"a link to itself", "/env/**/v.yaml", "more than 40 symbolic links", fstest.MapFS{"env/self": link(".")}},
		{"a link that leaves", "/env/*/v.yaml", "leaves the repository", fstest.MapFS{"env/out": link("../../else")}},
		{"one file by two names", "/env/v.yaml, /env/w.yaml, /alias/v.yaml", "names the values file alias/v.yaml again after others", fstest.MapFS{"alias": link("env")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := fstest.MapFS{
				"chart/Chart.yaml": {Data: []byte("{apiVersion: v2, name: c, version: 1.0.0}")},
				"env/v.yaml":       {Data: []byte("a: 1")},
				"env/w.yaml":       {Data: []byte("a: 2")},
				"app.yaml": {Data: []byte("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: eu}\n" +
					"spec: {source: {repoURL: u, path: chart, helm: {valueFiles: [" + tt.files + "]}}}\n")},
			}
			for name, f := range tt.links {
				fsys[name] = f
			}
			_, err := expand(fsys)
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("got %v, want %s", err, tt.problem)
			}
		})
	}
}

// part is a tree of which one folder alone was sent.
type part struct {
	fstest.MapFS
	folder string
}

func (p part) Holds(name string) bool {
	return name == p.folder || strings.HasPrefix(name, p.folder+"/")
}

// TestPartsOfARepository: what was not sent is not missing.
func TestPartsOfARepository(t *testing.T) {
	tests := []struct{ name, files, problem string }{
		{"a pattern within", "v/*.yaml", ""},
		{"a pattern beyond", "/*/v/*.yaml", "names values files by the pattern */v/*.yaml: it looks at folders of which only a part is here"},
		{"a pattern elsewhere", "/env/*.yaml", "only a part is here"},
		{"a file elsewhere", "/env/v.yaml], ignoreMissingValueFiles: true, x: [", "names the values file env/v.yaml, which may be missing"},
		{"a file within", "none.yaml], ignoreMissingValueFiles: true, x: [", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := expand(part{fstest.MapFS{
				"apps/Chart.yaml": {Data: []byte("{apiVersion: v2, name: c, version: 1.0.0}")},
				"apps/v/a.yaml":   {Data: []byte("a: 1")},
				"app.yaml": {Data: []byte("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: eu}\n" +
					"spec: {source: {repoURL: u, path: apps, helm: {valueFiles: [" + tt.files + "]}}}\n")},
			}, "apps"})
			if tt.problem == "" && err != nil || tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem)) {
				t.Errorf("got %v, want %s", err, tt.problem)
			}
		})
	}
}

// TestPatternsGuardWhatComes: a file that a pattern will find belongs to the Gate.
func TestPatternsGuardWhatComes(t *testing.T) {
	g, err := expand(fstest.MapFS{
		"chart/Chart.yaml": {Data: []byte("{apiVersion: v2, name: c, version: 1.0.0}")},
		"env/v.yaml":       {Data: []byte("a: 1")},
		"app.yaml": {Data: []byte("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: eu}\n" +
			"spec: {source: {repoURL: u, path: chart, helm: {valueFiles: [/env/*.yaml]}}}\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	guarded, err := g.Guarded()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"env/v.yaml": true, "env/new.yaml": true, "env/new.txt": false, "env/below/new.yaml": false} {
		if guarded(name) != want {
			t.Errorf("%s: guarded is %v", name, !want)
		}
	}
}

// expand is the Gate over app.yaml with its clusters.
func expand(fsys fs.FS) (*gate.Gate, error) {
	g := &gate.Gate{File: "syncgate.yaml"}
	g.Metadata.Name = "app"
	g.Spec.ClustersFrom = []gate.ClustersFrom{{Files: []string{"app.yaml"}}}
	return Expand(context.Background(), tree.New(fsys), g, values.Limits{})
}
