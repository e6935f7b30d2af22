package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/syncgate/syncgate/gitops/git"
)

// What a revision has at a path stays, and is refused; what could not be read is
// asked again.
func TestUnread(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{fs.ErrNotExist, false},
		{git.ErrSymlink, false},
		{git.ErrSubmodule, false},
		{git.ErrFolder, false},
		{&git.LimitError{What: "a file of 9 bytes", Name: "FileBytes", Limit: 8}, false},
		{errors.New("the remote hung up"), true},
	} {
		t.Run(tt.err.Error(), func(t *testing.T) {
			err := fmt.Errorf("read gate: %w", &fs.PathError{Op: "open", Path: "syncgate.yaml", Err: tt.err})
			if got := unread(err); got != tt.want {
				t.Errorf("unread(%v) = %v", err, got)
			}
		})
	}
}
