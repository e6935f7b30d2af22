package version_test

import (
	"testing"

	"github.com/syncgate/syncgate/policies/version"
)

func parse(t *testing.T, text string) version.Version {
	t.Helper()
	v, ok := version.Parse(text)
	if !ok {
		t.Fatalf("%q is no version", text)
	}
	return v
}

func TestCompare(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"11.7.4", "11.7.10", -1},
		{"v11.7", "11.7.0", 0},
		{"11.6.1@sha256:aa", "11.6.1@sha256:bb", 0},
		{"11.6.1@sha256:aa", "11.7.0", -1},
		{"2.3.1-alpine", "2.3.1", 0},
		{"2.3.2-alpine", "2.3.1-bookworm", 1},
		{"2.3.1-rc.2", "2.3.1", -1},
		{"2.3.1-rc2", "2.3.1-rc3", -1},
		{"2.3.1+build7", "2.3.1", 0},
		{"10.11.17", "11.7.0", -1},
	}
	for _, tt := range tests {
		t.Run(tt.a+" "+tt.b, func(t *testing.T) {
			a, b := parse(t, tt.a), parse(t, tt.b)
			if got := a.Compare(b); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
			if got := b.Compare(a); got != -tt.want {
				t.Errorf("the other way: got %d, want %d", got, -tt.want)
			}
		})
	}
}

func TestNoVersions(t *testing.T) {
	for _, text := range []string{"", "latest", "sha256:0123456789abcdef", "@sha256:01", "main", "mattermost:11.7.4", "11.7.4.5.6"} {
		if v, ok := version.Parse(text); ok {
			t.Errorf("%q is read as %s", text, v)
		}
	}
}

func TestNeighbours(t *testing.T) {
	tests := []struct {
		older, newer, apart string
		want                bool
	}{
		{"11.6.0", "11.6.9", "patch", true},
		{"11.6.0", "11.7.0", "patch", false},
		{"11.6.0", "11.7.4", "minor", true},
		{"11.5.0", "11.7.4", "minor", false},
		{"10.12.3", "11.0.0", "minor", true},
		{"10.12.3", "11.1.0", "minor", false},
		{"10.0.0", "11.9.0", "major", true},
		{"10.0.0", "12.0.0", "major", false},
	}
	for _, tt := range tests {
		if got := version.Neighbours(parse(t, tt.older), parse(t, tt.newer), tt.apart); got != tt.want {
			t.Errorf("%s %s %s: got %t", tt.older, tt.newer, tt.apart, got)
		}
	}
}

func TestRange(t *testing.T) {
	r, err := version.ParseRange(">=11.7.0, <11.7.3")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"11.7.0": true, "11.7.2@sha256:ab": true, "11.7.3": false, "11.6.9": false, "11.7.1-rc1": true} {
		if got := r.Has(parse(t, text)); got != want {
			t.Errorf("%s: got %t", text, got)
		}
	}
	if _, err := version.ParseRange("newest"); err == nil {
		t.Error("no error")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"11.7.4", "v1", "1.2.3-alpine@sha256:ab", "sha256:ab", "1.2.3-rc.1+b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := version.Parse(text)
		if !ok {
			return
		}
		if same, _ := version.Parse(text); v.Compare(same) != 0 {
			t.Errorf("%q is not itself", text)
		}
		if again, ok := version.Parse(v.String()); !ok || again.Compare(v) != 0 {
			t.Errorf("%q comes back as %q", text, v)
		}
	})
}
