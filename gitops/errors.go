package gitops

import (
	"errors"
	"io/fs"
)

// What a Repository says when the answer is no; anything else could not be
// found out.
var (
	ErrNoRevision = errors.New("no such revision")
	ErrNoBranch   = errors.New("no such branch")
)

// Lasting reports whether an error of a Repository's tree says what is at a path:
// nothing (fs.ErrNotExist), or something that is not read so, as a symbolic link
// or a file over a limit (fs.ErrInvalid). The next one to read it is told the
// same. Any other error says that it could not be read, and may pass.
func Lasting(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid)
}
