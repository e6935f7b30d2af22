package git

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// ErrExists says that a branch that was to be made is already there.
var ErrExists = errors.New("branch already exists")

// ErrDenied says that the server understood and refuses, for want of a
// permission or by a rule of its own.
var ErrDenied = errors.New("denied by the server")

// Error is git's own word that a command did not succeed.
type Error struct {
	Command string // "fetch"
	URL     string // of the repository, without credentials
	Exit    int
	Stderr  string // bounded, without credentials
}

// Error is the line git died of, and what to do where that is known.
func (e *Error) Error() string {
	msg := fmt.Sprintf("git %s of %s: %s", e.Command, e.URL, e.line())
	if r := remedy(e.Stderr); r != "" {
		msg += ": " + r
	}
	return msg
}

// Is makes errors.Is(err, ErrDenied) true where the server refused.
func (e *Error) Is(target error) bool {
	return target == ErrDenied && deniedForm.MatchString(e.Stderr)
}

func (e *Error) line() string {
	first := ""
	for l := range strings.Lines(e.Stderr) {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "fatal: ") || strings.HasPrefix(l, "error: ") || strings.HasPrefix(l, "! ") {
			return fmt.Sprintf("%.400s", l)
		}
		if first == "" {
			first = l
		}
	}
	if first == "" {
		return fmt.Sprintf("exit status %d", e.Exit)
	}
	return fmt.Sprintf("%.400s", first)
}

var (
	// noRevisionForm is how upload-pack of git itself and of JGit say that
	// there is no such object.
	noRevisionForm = regexp.MustCompile(`upload-pack: not our ref|remote error: want [0-9a-f]+ not valid`)
	deniedForm     = regexp.MustCompile(`returned error: 40[13]|Authentication failed|Permission .*denied|Permission denied|remote rejected|protected branch|could not read Username`)
	// lazyForm is how git says that an object is not in a partial clone, where
	// it may not speak to the server.
	lazyForm = regexp.MustCompile(`transport '.*' not allowed`)
	// brokenForm is how git says that its own store is damaged.
	brokenForm = regexp.MustCompile(`not a git repository|object file .* is empty|is corrupt|bad object|did not send all necessary objects|unable to read|invalid sha1 pointer|shallow file has changed|\.lock': File exists`)
)

// remedy is what to do about what git said, "" where that is not known.
func remedy(stderr string) string {
	for _, r := range []struct {
		remedy string
		words  []string
	}{
		{"check that the token or key is valid and may read this repository (and write it, for a revert)",
			[]string{"returned error: 401", "returned error: 403", "Authentication failed", "could not read Username", "Permission denied"}},
		{"check the URL, and that the token may see the repository",
			[]string{"not found", "does not appear to be a git repository"}},
		{"check the address, DNS, proxy and network policy between here and the server",
			[]string{"Could not resolve host", "Connection refused", "Failed to connect", "timed out", "Network is unreachable"}},
		{"the server redirects: use the repository's new URL",
			[]string{"unable to update url base from redirection", "returned error: 30"}},
		{"check the server's certificate, or give its authority in SSL_CERT_FILE or GIT_SSL_CAINFO",
			[]string{"certificate"}},
		{"put the server's host key into the known-hosts file",
			[]string{"Host key verification failed"}},
	} {
		for _, w := range r.words {
			if strings.Contains(stderr, w) {
				return r.remedy
			}
		}
	}
	return ""
}

// LimitError says which limit was hit. It is fs.ErrInvalid: what is too large
// stays so.
type LimitError struct {
	What  string // what is too large
	Name  string // the field of Limits
	Limit int64
}

// Error names the limit and its value.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s is over the limit %s of %d", e.What, e.Name, e.Limit)
}

// Is makes it a lasting one, see gitops.Lasting.
func (*LimitError) Is(target error) bool { return target == fs.ErrInvalid }
