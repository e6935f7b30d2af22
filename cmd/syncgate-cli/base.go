package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/syncgate/syncgate/gitops/git"
	"github.com/syncgate/syncgate/internal/rootfs"
)

// base is the tree that passed before.
type base struct {
	fs    fs.FS
	name  string
	close func() error
}

// openBase opens what --base names: a folder, when it is written as a path
// ("./before", "/srv/before"), else a revision of the repository whose tree is
// opened at root. An empty name is no base at all.
func openBase(ctx context.Context, root, name string) (base, error) {
	if name == "" {
		return base{close: func() error { return nil }}, nil
	}
	if filepath.IsAbs(name) || name == "." || strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") {
		dir, err := rootfs.Open(name)
		if err != nil {
			return base{}, fmt.Errorf("open base: %w", err)
		}
		return base{fs: dir.FS(), name: filepath.ToSlash(name), close: dir.Close}, nil
	}
	local, err := git.OpenLocal(ctx, root, name)
	if err != nil {
		return base{}, fmt.Errorf("open base: %w", err)
	}
	return base{fs: local.FS, name: fmt.Sprintf("%s (%.12s)", name, local.Revision), close: local.Close}, nil
}
