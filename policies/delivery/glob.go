package delivery

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/syncgate/syncgate/policies/tree"
)

// errTooMany ends a search that looks at more than maxEntries.
var errTooMany = errors.New("too many files and folders")

// errPart ends a search that leads to where a part of the repository is not there.
var errPart = errors.New("it looks at folders of which only a part is here")

// globbed are the files and folders that a pattern names, in Argo CD's order: that of
// its own library. What cannot be looked at is an error.
func (x *expansion) globbed(pattern string) ([]string, error) {
	if found, ok := x.matched[pattern]; ok {
		return found, nil
	}
	if x.folders == nil {
		x.folders = map[string][]fs.DirEntry{}
	}
	found, err := doublestar.Glob(&followed{tree: x.tree, lists: x.folders}, pattern, doublestar.WithFailOnIOErrors())
	if err != nil {
		return nil, err
	}
	if x.matched == nil {
		x.matched = map[string][]string{}
	}
	x.matched[pattern] = found
	return found, nil
}

// followed is a tree as a checkout of it on disk shows itself to a search: links are
// followed, folders are sorted. Git's own folder is left out.
type followed struct {
	tree   *tree.Tree
	looked int
	// lists are the folders that were listed before, for this search or another: a
	// pattern for each cluster looks at the same ones.
	lists map[string][]fs.DirEntry
}

// real is name with its links followed, counted.
func (f *followed) real(name string) (string, error) {
	if f.looked++; f.looked > maxEntries {
		return "", errTooMany
	}
	real, err := f.tree.Real(name)
	if err == nil && !f.tree.Holds(real) {
		return "", errPart
	}
	return real, err
}

// Open implements fs.FS.
func (f *followed) Open(name string) (fs.File, error) {
	real, err := f.real(name)
	if err != nil {
		return nil, err
	}
	return f.tree.FS().Open(real)
}

// Stat implements fs.StatFS.
func (f *followed) Stat(name string) (fs.FileInfo, error) {
	real, err := f.real(name)
	if err != nil {
		return nil, err
	}
	return fs.Stat(f.tree.FS(), real)
}

// ReadDir implements fs.ReadDirFS.
func (f *followed) ReadDir(name string) ([]fs.DirEntry, error) {
	real, err := f.real(name)
	if err != nil {
		return nil, err
	}
	list, listed := f.lists[real]
	if !listed {
		if list, err = fs.ReadDir(f.tree.FS(), real); err != nil {
			return nil, err
		}
	}
	if f.looked += len(list); f.looked > maxEntries {
		return nil, errTooMany
	}
	if listed {
		return list, nil
	}
	list = slices.DeleteFunc(slices.Clone(list), func(e fs.DirEntry) bool { return real == "." && e.Name() == ".git" })
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	f.lists[real] = list
	return list, nil
}
