// Package kustomize builds kustomizations as `kustomize build` does, from the
// files of the repository alone: no plugins, no functions, no Helm inflation,
// nothing remote. A file is only read from below the kustomization that names
// it; other kustomizations may lie anywhere in the repository.
package kustomize

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/syncgate/syncgate/policies/tree"
)

// Limits bound a build. The zero value means the defaults.
type Limits struct {
	// Files is how many files one build may read. Default 20,000.
	Files int
	// FileBytes is the most bytes of one file. Default 5 MiB.
	FileBytes int64
	// InputBytes is the most bytes of all files together. Default 100 MiB.
	InputBytes int64
}

func (l Limits) withDefaults() Limits {
	if l.Files <= 0 {
		l.Files = 20_000
	}
	if l.FileBytes <= 0 {
		l.FileBytes = 5 << 20
	}
	if l.InputBytes <= 0 {
		l.InputBytes = 100 << 20
	}
	return l
}

// LimitError says which limit a build hit.
type LimitError struct {
	Limit  string // its name
	Value  int64  // what it is set to
	Where  string // the kustomization or file
	Remedy string // what to do
}

// Error is one line.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: limit %s=%d hit; %s", e.Where, e.Limit, e.Value, e.Remedy)
}

// RefError says where a kustomization refers to what is not in the repository.
type RefError struct {
	File         string
	Line, Column int
	Problem      string
	Remedy       string
}

// Error is one line.
func (e *RefError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s; %s", e.File, e.Line, e.Column, e.Problem, e.Remedy)
}

// Built is what a kustomization gives.
type Built struct {
	// Objects are YAML documents in the order of the build.
	Objects []Object
	// Files are the files that were read, in the order in which they were first
	// read: what lies below comes before what is laid over it, except that a
	// kustomization file comes before what it names.
	Files []File
}

// Object is one object.
type Object struct {
	// ID names it for people.
	ID   string
	Data []byte
}

// File is a file of the tree and what it holds.
type File struct {
	Name string
	Data []byte
}

// building lets one build of the program run at a time: the library keeps the
// OpenAPI schema that a kustomization names in a variable of its own.
var building = make(chan struct{}, 1) //nolint:gochecknoglobals // guards a variable of the library's

// Build builds the kustomization in folder dir. Errors name the file.
func Build(ctx context.Context, fsys fs.FS, dir string, limits Limits) (Built, error) {
	select {
	case building <- struct{}{}:
		defer func() { <-building }()
	case <-ctx.Done():
		return Built{}, stopped(ctx, dir)
	}
	r := &reader{tree: tree.New(fsys), limits: limits.withDefaults(), where: dir}
	if err := checkKustomization(ctx, r, dir); err != nil {
		return Built{}, err
	}
	repo := newRepoFS(ctx, r)
	opts := krusty.MakeDefaultOptions()
	opts.LoadRestrictions = types.LoadRestrictionsRootOnly
	opts.PluginConfig = types.DisabledPluginConfig()
	made, err := krusty.MakeKustomizer(opts).Run(repo, repo.abs(dir))
	if err != nil {
		// What the library makes of a limit or a cancel is less clear.
		if repo.failed != nil {
			return Built{}, repo.failed
		}
		return Built{}, fmt.Errorf("build kustomization %s: %w; correct the kustomization", dir, err)
	}
	out := Built{Files: repo.read}
	for _, res := range made.Resources() {
		text, err := res.AsYAML()
		if err != nil {
			return Built{}, fmt.Errorf("write %s of kustomization %s: %w", res.CurId(), dir, err)
		}
		out.Objects = append(out.Objects, Object{ID: res.CurId().String(), Data: text})
	}
	return out, nil
}

// stopped is ctx's error with what was being done.
func stopped(ctx context.Context, where string) error {
	return fmt.Errorf("build kustomization %s: stopped before it was done: %w", where, context.Cause(ctx))
}

// reader reads the files of one build and keeps count of them.
type reader struct {
	tree   *tree.Tree
	limits Limits
	where  string
	files  int
	bytes  int64
}

// read returns the bytes of a file without a byte order mark.
func (r *reader) read(name string) ([]byte, error) {
	if r.files++; r.files > r.limits.Files {
		return nil, r.hit("files", int64(r.limits.Files), "build a smaller folder")
	}
	data, err := r.tree.Read(name, r.limits.FileBytes)
	if err != nil {
		return nil, err
	}
	if r.bytes += int64(len(data)); r.bytes > r.limits.InputBytes {
		return nil, r.hit("inputBytes", r.limits.InputBytes, "move what is not built out of the folder")
	}
	return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), nil
}

func (r *reader) hit(limit string, value int64, remedy string) error {
	return &LimitError{Limit: limit, Value: value, Where: r.where, Remedy: remedy}
}
