package fix

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// Write puts the changes into the files of a repository, each file at once or
// not at all. All are looked at before the first is written: a file that is a
// link, or that is not what it was when it was read, is an error. On an error
// written are the files that are changed by then.
func Write(root *os.Root, changes []Change) (written []string, err error) {
	for _, c := range changes {
		if err := unchanged(root, c); err != nil {
			return nil, err
		}
	}
	for _, c := range changes {
		if err := replace(root, c); err != nil {
			return written, err
		}
		written = append(written, c.File)
	}
	return written, nil
}

// unchanged reports whether a file is what it was when it was read.
func unchanged(root *os.Root, c Change) error {
	info, err := root.Lstat(c.File)
	if err != nil {
		return fmt.Errorf("look at file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("write %s: expected a regular file, found a link or a special file; change it by hand", c.File)
	}
	f, err := root.Open(c.File)
	if err != nil {
		return fmt.Errorf("read file: %w", err)
	}
	defer f.Close()
	have, err := io.ReadAll(io.LimitReader(f, int64(len(c.Before))+1))
	if err != nil {
		return fmt.Errorf("read file %s: %w", c.File, err)
	}
	if !bytes.Equal(have, c.Before) {
		return fmt.Errorf("write %s: expected the file as it was read, found that it has changed since; run the command again", c.File)
	}
	return nil
}

// replace writes a file beside the old one and puts it in its place.
func replace(root *os.Root, c Change) (err error) {
	info, err := root.Lstat(c.File)
	if err != nil {
		return fmt.Errorf("look at file: %w", err)
	}
	temp, f, err := create(root, path.Dir(c.File), info.Mode().Perm())
	if err != nil {
		return fmt.Errorf("write %s: %w", c.File, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, root.Remove(temp))
		}
	}()
	_, err = f.Write(c.After)
	err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", c.File, err)
	}
	if err := unchanged(root, c); err != nil {
		return err
	}
	if err := root.Rename(temp, c.File); err != nil {
		return fmt.Errorf("write %s: %w", c.File, err)
	}
	return nil
}

// create makes a new file in a folder.
func create(root *os.Root, dir string, mode fs.FileMode) (string, *os.File, error) {
	const tries = 100
	for i := range tries {
		name := path.Join(dir, fmt.Sprintf(".syncgate-fix-%d-%d.tmp", os.Getpid(), i))
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		return name, f, err
	}
	return "", nil, fmt.Errorf("make a temporary file in %s: limit tries=%d hit; remove the files .syncgate-fix-* there", dir, tries)
}
