// Package npm fetches one file of a package from npm, at a pinned version and
// checksum, for tests.
package npm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrMissing says that a file is not there yet, and that there is no npm to
// fetch it.
var ErrMissing = errors.New("npm is not installed")

// File is one file, or folder, of a package.
type File struct {
	// JSON is a package.json that needs the package alone, and Lock its lock
	// file with the package's checksum.
	JSON, Lock []byte
	// Path is where it lies below node_modules.
	Path string
}

// Fetch puts the file at to, unless it is there.
func Fetch(ctx context.Context, f File, to string) error {
	if _, err := os.Stat(to); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return ErrMissing
	}
	dir := filepath.Dir(to)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(dir, "npm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	for name, content := range map[string][]byte{"package.json": f.JSON, "package-lock.json": f.Lock} {
		if err := os.WriteFile(filepath.Join(tmp, name), content, 0o644); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = tmp
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, out)
	}
	err = os.Rename(filepath.Join(tmp, "node_modules", f.Path), to)
	if _, statErr := os.Stat(to); err != nil && statErr == nil {
		return nil // another test was first
	}
	return err
}
