package git

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// remote is a checked repository URL.
type remote struct {
	url    string // as git gets it
	shown  string // without user
	scheme string // the only transport git may use
	origin string // scheme://host/ for https and http: where the token goes
}

// scpForm is ssh's user@host:path. Neither part may begin with '-': ssh would
// take it for an option.
var scpForm = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9._-]*@)?([A-Za-z0-9][A-Za-z0-9.-]*):([^/:-].*|/[^/].*)$`)

func parseURL(s string) (remote, error) {
	if len(s) > 2048 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return remote{}, errors.New("repository URL: expected at most 2048 bytes without control characters")
	}
	if filepath.IsAbs(s) {
		return remote{url: s, shown: s, scheme: "file"}, nil
	}
	if !strings.Contains(s, "://") {
		if m := scpForm.FindStringSubmatch(s); m != nil {
			return remote{url: s, shown: m[2] + ":" + m[3], scheme: "ssh"}, nil
		}
		return remote{}, errors.New("repository URL: expected https, http, ssh or file, user@host:path, or an absolute path")
	}
	u, err := url.Parse(s)
	if err != nil {
		return remote{}, errors.New("repository URL: it cannot be parsed") // the cause would quote it, password and all
	}
	if _, has := u.User.Password(); has {
		return remote{}, fmt.Errorf("repository URL for host %s holds a password: leave it out and give a token file", u.Host)
	}
	rem := remote{url: s, scheme: u.Scheme}
	shown := *u
	shown.User = nil
	rem.shown = shown.String()
	switch u.Scheme {
	case "https", "http":
		rem.origin = u.Scheme + "://" + u.Host + "/"
		rem.url = rem.shown // a user in the URL would win over the token's
	case "ssh", "file":
	default:
		return remote{}, fmt.Errorf("repository URL %s: expected https, http, ssh or file, found %q", rem.shown, u.Scheme)
	}
	if u.Scheme != "file" && (u.Hostname() == "" || strings.HasPrefix(u.Hostname(), "-")) {
		return remote{}, fmt.Errorf("repository URL %s: expected a host name", rem.shown)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return remote{}, fmt.Errorf("repository URL for host %s: expected no query and no fragment", u.Host)
	}
	return rem, nil
}

// key names the cache folder of the repository.
func (r remote) key() string {
	sum := sha256.Sum256([]byte(r.url))
	return hex.EncodeToString(sum[:12])
}

// branchForm leaves out what git-check-ref-format(1) forbids in a ref and what
// a pattern could be made of.
var branchForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[^\x00-\x20\x7f~^:?*\[\\]{1,240}$`) })

func checkBranch(name string) error {
	bad := !branchForm().MatchString(name) || name[0] == '-' || name[0] == '/' || strings.HasSuffix(name, "/") ||
		strings.HasSuffix(name, ".") || strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.Contains(name, "//")
	for part := range strings.SplitSeq(name, "/") {
		bad = bad || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock")
	}
	if bad {
		return fmt.Errorf("branch: expected a branch name such as \"main\", found %.80q", name)
	}
	return nil
}
