package fix_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/policies/fix"
)

func TestWrite(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, dir string)
		want    string // of a.yaml afterwards
		problem string
	}{
		{name: "as it was read", want: "a: 2\n"},
		{
			name:    "changed since",
			prepare: func(t *testing.T, dir string) { put(t, filepath.Join(dir, "b.yaml"), "b: 7\n", 0o600) },
			want:    "a: 1\n", problem: "has changed since",
		},
		{
			name:    "longer since",
			prepare: func(t *testing.T, dir string) { put(t, filepath.Join(dir, "b.yaml"), "b: 1\nc: 1\n", 0o600) },
			want:    "a: 1\n", problem: "has changed since",
		},
		{
			name: "a link",
			prepare: func(t *testing.T, dir string) {
				put(t, filepath.Join(dir, "c.yaml"), "b: 1\n", 0o600)
				must(t, os.Remove(filepath.Join(dir, "b.yaml")))
				must(t, os.Symlink("c.yaml", filepath.Join(dir, "b.yaml")))
			},
			want: "a: 1\n", problem: "found a link",
		},
		{
			name:    "gone",
			prepare: func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "b.yaml"))) },
			want:    "a: 1\n", problem: "look at file",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, filepath.Join(dir, "a.yaml"), "a: 1\n", 0o640)
			put(t, filepath.Join(dir, "b.yaml"), "b: 1\n", 0o600)
			if tt.prepare != nil {
				tt.prepare(t, dir)
			}
			before := entries(t, dir)
			root, err := os.OpenRoot(dir)
			must(t, err)
			defer root.Close()
			_, err = fix.Write(root, []fix.Change{
				{File: "a.yaml", Before: []byte("a: 1\n"), After: []byte("a: 2\n")},
				{File: "b.yaml", Before: []byte("b: 1\n"), After: []byte("b: 2\n")},
			})
			if (err != nil) != (tt.problem != "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("want %q, got %v", tt.problem, err)
			}
			got, err := os.ReadFile(filepath.Join(dir, "a.yaml"))
			must(t, err)
			if string(got) != tt.want {
				t.Errorf("want %q, got %q", tt.want, got)
			}
			info, err := os.Stat(filepath.Join(dir, "a.yaml"))
			must(t, err)
			if info.Mode().Perm() != 0o640 {
				t.Errorf("the mode became %v", info.Mode())
			}
			if after := entries(t, dir); after != before {
				t.Errorf("there were %s, now there are %s", before, after)
			}
		})
	}
}

func put(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	must(t, os.WriteFile(name, []byte(text), mode))
	must(t, os.Chmod(name, mode))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func entries(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	must(t, err)
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Name()
	}
	return strings.Join(names, " ")
}
