package git

import (
	"io/fs"
	"strings"
	"testing"
)

func FuzzParseTree(f *testing.F) {
	id := strings.Repeat("a", 40)
	f.Add([]byte("100644 blob " + id + "\ta/b\x00120000 blob " + id + "\tl\x00"))
	f.Add([]byte("100644 blob " + id + "\t../x\x00"))
	f.Add([]byte("040000 tree " + id + "\ta\x00100644 blob " + id + "\ta/b\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		idx, err := parseTree("r", b, 100)
		if err != nil {
			return
		}
		if len(idx.entries) > 100 {
			t.Errorf("%d entries over the limit", len(idx.entries))
		}
		for _, e := range idx.entries {
			if !fs.ValidPath(e.path) || strings.HasPrefix(e.path, "../") {
				t.Errorf("path %q leaves the tree", e.path)
			}
			if idx.find(e.path) == nil {
				t.Errorf("entry %q is not found", e.path)
			}
		}
	})
}

func FuzzParseDiff(f *testing.F) {
	id, none := strings.Repeat("a", 40), strings.Repeat("0", 40)
	f.Add([]byte(":100644 100755 " + id + " " + id + " M\x00a/b\x00"))
	f.Add([]byte(":000000 100644 " + none + " " + id + " A\x00a\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		changes, err := parseDiff(b, 100)
		if err == nil && len(changes) > 100 {
			t.Errorf("%d changes over the limit", len(changes))
		}
	})
}

func FuzzParseLog(f *testing.F) {
	id := strings.Repeat("a", 40)
	f.Add([]byte(id + "\n" + id + "\n" + id + " " + id + "\nsubject\n\nbody\n\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		commits, err := parseLog(b)
		if err != nil {
			return
		}
		for _, c := range commits {
			if checkSHA("commit", c.SHA) != nil || checkSHA("tree", c.Tree) != nil {
				t.Errorf("commit %+v", c)
			}
		}
	})
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{
		"https://example.org/a.git", "http://u@h:1/x", "ssh://git@h/x", "git@h:x/y.git", "file:///x", "/x",
		"https://a:b@c/d", "ext::sh -c id", "-oProxyCommand=x:y", "ssh://-x/y",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rem, err := parseURL(s)
		if err != nil {
			return
		}
		if strings.HasPrefix(rem.url, "-") || strings.Contains(rem.url, "\n") || strings.HasPrefix(rem.url, "ext::") {
			t.Errorf("dangerous URL %q", rem.url)
		}
		switch rem.scheme {
		case "https", "http", "ssh", "file":
		default:
			t.Errorf("scheme %q", rem.scheme)
		}
	})
}
