package tree_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/syncgate/syncgate/policies/tree"
)

func TestJoin(t *testing.T) {
	tests := []struct{ name, dir, rel, want, problem string }{
		{name: "beside", dir: "apps/mm", rel: "values.yaml", want: "apps/mm/values.yaml"},
		{name: "above", dir: "apps/mm", rel: "../../shared/v.yaml", want: "shared/v.yaml"},
		{name: "folder itself", dir: "apps", rel: ".", want: "apps"},
		{name: "leaves", dir: "apps", rel: "../../etc/passwd", problem: "leaves the repository"},
		{name: "leaves from root", dir: ".", rel: "..", problem: "leaves the repository"},
		{name: "absolute", dir: ".", rel: "/etc/passwd", problem: "absolute"},
		{name: "empty", dir: ".", rel: "", problem: "empty"},
		{name: "backslash", dir: ".", rel: `a\b`, problem: "backslash"},
		{name: "NUL", dir: ".", rel: "a\x00b", problem: "NUL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tree.Join(tt.dir, tt.rel)
			if tt.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tt.problem) {
					t.Fatalf("Join(%q, %q) = %q, %v; want an error with %q", tt.dir, tt.rel, got, err, tt.problem)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Fatalf("Join(%q, %q) = %q, %v; want %q", tt.dir, tt.rel, got, err, tt.want)
			}
		})
	}
}

func TestReadFollowsOnlyLinksThatStay(t *testing.T) {
	outer := t.TempDir()
	root := filepath.Join(outer, "repo")
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(outer, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	write("outside.yaml", "secret: outside")
	write("repo/shared/v.yaml", "a: 1")
	write("repo/apps/own.yaml", "b: 2")
	link("../shared/v.yaml", "apps/inside.yaml")
	link("../../outside.yaml", "apps/escape.yaml")
	link(filepath.Join(outer, "outside.yaml"), "apps/absolute.yaml")
	link("..", "up")
	link("shared", "alias")
	link("loop", "loop")

	tests := []struct{ name, want, problem string }{
		{name: "apps/own.yaml", want: "b: 2"},
		{name: "apps/inside.yaml", want: "a: 1"},
		{name: "alias/v.yaml", want: "a: 1"},
		{name: "apps/escape.yaml", problem: "leaves the repository"},
		{name: "apps/absolute.yaml", problem: "leaves the repository"},
		{name: "up/outside.yaml", problem: "leaves the repository"},
		{name: "loop", problem: "symbolic links"},
		{name: "missing.yaml", problem: "no such file"},
		{name: "shared", problem: "a folder"},
		{name: "../outside.yaml", problem: "leaves the repository"},
	}
	rooted, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer rooted.Close()
	for kind, fsys := range map[string]fs.FS{"DirFS": os.DirFS(root), "Root": rooted.FS()} {
		tr := tree.New(fsys)
		for _, tt := range tests {
			t.Run(kind+"/"+tt.name, func(t *testing.T) {
				got, err := tr.Read(tt.name, 100)
				if tt.problem != "" {
					if err == nil || !strings.Contains(err.Error(), tt.problem) {
						t.Fatalf("Read = %q, %v; want an error with %q", got, err, tt.problem)
					}
					return
				}
				if err != nil || string(got) != tt.want {
					t.Fatalf("Read = %q, %v; want %q", got, err, tt.want)
				}
			})
		}
	}
}

func TestReadIsBounded(t *testing.T) {
	fsys := fstest.MapFS{"ten": {Data: []byte("0123456789")}, "link": {Mode: fs.ModeSymlink, Data: []byte("ten")}}
	tr := tree.New(fsys)
	if got, err := tr.Read("ten", 10); err != nil || len(got) != 10 {
		t.Errorf("Read at the limit = %q, %v", got, err)
	}
	_, err := tr.Read("ten", 9)
	if err == nil || !strings.Contains(err.Error(), "fileSize=9") {
		t.Errorf("Read over the limit: %v; want the limit's name and value", err)
	}
	if _, err := tr.Read("none", 9); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read of a missing file: %v; want fs.ErrNotExist", err)
	}
}
