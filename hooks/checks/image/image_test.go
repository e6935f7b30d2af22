package image_test

import (
	"strings"
	"testing"

	"github.com/syncgate/syncgate/hooks/checks/image"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// full is the full form of a reference.
func full(s string) (string, error) {
	r, err := image.Parse(s)
	return r.String(), err
}

// same reports whether both can be read and name one image.
func same(a, b string) bool {
	x, err := image.Parse(a)
	if err != nil {
		return false
	}
	y, err := image.Parse(b)
	return err == nil && x.Same(y)
}

func TestParse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"nginx":                                 "docker.io/library/nginx:latest",
		"nginx:1.27":                            "docker.io/library/nginx:1.27",
		"index.docker.io/nginx:1":               "docker.io/library/nginx:1",
		"docker.io/mattermost/app:11.6.1":       "docker.io/mattermost/app:11.6.1",
		"mattermost/app:11.6.1":                 "docker.io/mattermost/app:11.6.1",
		"localhost/app:1":                       "localhost/app:1",
		"registry.example.com:5000/a/b/c:1":     "registry.example.com:5000/a/b/c:1",
		"registry.example.com:5000/app":         "registry.example.com:5000/app:latest",
		"mattermost/app@" + digestA:             "docker.io/mattermost/app@" + digestA,
		"mattermost/app:11.6.1@" + digestA:      "docker.io/mattermost/app:11.6.1@" + digestA,
		"mattermost/app:" + digestA:             "docker.io/mattermost/app@" + digestA,
		" mattermost/app:1 ":                    "docker.io/mattermost/app:1",
		"":                                      "",
		"Upper/Case:1":                          "",
		"a:b:c":                                 "",
		"a@sha256:short":                        "",
		"a b":                                   "",
		"https://a/b:1":                         "",
		strings.Repeat("a", 2000):               "",
		strings.Repeat("0123456789abcdef", 4):   "",
		"a:" + strings.Repeat("t", 129):         "",
		"registry.example.com:5000/a:1@md5:abc": "",
	} {
		got, err := full(in)
		if (err != nil) != (want == "") || (err == nil && got != want) {
			t.Errorf("%q: expected %q, found %q, %v", in, want, got, err)
		}
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a:1", "docker.io/library/a:1", true},
		{"a:1", "a:2", false},
		{"a:1", "b:1", false},
		{"a", "a:latest", true},
		{"a@" + digestA, "a:1@" + digestA, true},
		{"a:1@" + digestA, "a:2@" + digestA, true},
		{"a:1@" + digestA, "a:1@" + digestB, false},
		{"a:1@" + digestA, "a:1", true},
		{"a@" + digestA, "a:1", false},
		{"a@" + digestA, "a", false},
	} {
		if got := same(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: expected %v", c.a, c.b, c.want)
		}
		if got := same(c.b, c.a); got != c.want {
			t.Errorf("%s and %s: expected %v", c.b, c.a, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"nginx", "a/b:1", "a:" + digestA, "a:1@" + digestA, "localhost:5000/a", "é", "a@b@c", "::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, err := full(s)
		if err != nil {
			return
		}
		again, err := full(text)
		if err != nil || again != text {
			t.Fatalf("%q became %q, and that %q, %v", s, text, again, err)
		}
		if !same(s, text) {
			t.Fatalf("%q is not the same as its full form %q", s, text)
		}
	})
}

func TestFromID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string][2]string{
		"docker.io/library/nginx@" + digestA:     {"docker.io/library/nginx", digestA},
		"docker-pullable://nginx@" + digestA:     {"docker.io/library/nginx", digestA},
		"registry.example.com:5000/a@" + digestB: {"registry.example.com:5000/a", digestB},
		digestA:                                  {"", ""},
		"docker://" + digestA:                    {"", ""},
		"":                                       {"", ""},
		"nginx@sha256:short":                     {"", ""},
	} {
		if repository, digest := image.FromID(id); [2]string{repository, digest} != want {
			t.Errorf("%q: expected %v, found %s %s", id, want, repository, digest)
		}
	}
}
