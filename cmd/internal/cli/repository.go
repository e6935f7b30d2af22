package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/syncgate/syncgate/internal/rootfs"
)

// OpenRepository opens the repository that the paths lie in, out of which no
// path and no link leads. The paths come back relative to it, with slashes;
// without any there is one, the current folder.
func OpenRepository(root string, args []string) (*rootfs.Root, []string, error) {
	if len(args) == 0 {
		args = []string{"."}
	}
	paths := make([]string, len(args))
	for i, arg := range args {
		abs, err := filepath.Abs(arg)
		if err != nil {
			return nil, nil, fmt.Errorf("find path %s: %w", arg, err)
		}
		if _, err := os.Lstat(abs); err != nil {
			return nil, nil, fmt.Errorf("find path: %w; name a folder or a Gate file that exists", err)
		}
		paths[i] = abs
	}
	root, err := repositoryRoot(root, paths[0])
	if err != nil {
		return nil, nil, err
	}
	for i, abs := range paths {
		rel, err := filepath.Rel(root, abs)
		if err != nil || !filepath.IsLocal(rel) {
			return nil, nil, fmt.Errorf("find path: %s is not in the repository %s; name it in a call of its own, or give another --root", args[i], root)
		}
		paths[i] = filepath.ToSlash(rel)
	}
	repo, err := rootfs.Open(root)
	if err != nil {
		return nil, nil, fmt.Errorf("open repository: %w", err)
	}
	return repo, paths, nil
}

// repositoryRoot is the folder given, else the nearest one above path with
// .git, else the current folder, else (path lies elsewhere) path's own folder.
func repositoryRoot(given, path string) (string, error) {
	if given != "" {
		root, err := filepath.Abs(given)
		if err != nil {
			return "", fmt.Errorf("find root: %w", err)
		}
		return root, nil
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find current folder: %w", err)
	}
	if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
		return here, nil
	}
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return filepath.Dir(path), nil
	}
	return path, nil
}
