package gate_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/gate"
)

const ownPack = "name: own\ndescription: of this repository\n"

// TestKnown: what is kept is what would be decoded, and nothing else.
func TestKnown(t *testing.T) {
	known := gate.NewKnown()
	load := func(file, text string, more ...string) (*gate.Gate, error) {
		t.Helper()
		fsys := fstest.MapFS{file: {Data: []byte(text)}}
		for i := 0; i < len(more); i += 2 {
			fsys[more[i]] = &fstest.MapFile{Data: []byte(more[i+1])}
		}
		want, wantErr := gate.Load(fsys, file)
		got, err := known.Load(fsys, file)
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Errorf("%s: %v, expected %v", file, err, wantErr)
		}
		if d := cmp.Diff(want, got, cmpopts.IgnoreTypes(&expr.Program{})); d != "" {
			t.Errorf("%s (-decoded +kept):\n%s", file, d)
		}
		return got, err
	}
	first, err := load("apps/mm/syncgate.yaml", whole)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := load("apps/mm/syncgate.yaml", whole); again != first {
		t.Error("an equal Gate was decoded once more")
	}
	if other, _ := load("apps/other/syncgate.yaml", whole); other == first || other.File != "apps/other/syncgate.yaml" {
		t.Errorf("a Gate elsewhere is the one of %s", other.File)
	}
	if changed, _ := load("apps/mm/syncgate.yaml", strings.Replace(whole, "maxAge: 24h", "maxAge: 240h", 1)); changed == first {
		t.Error("a changed Gate is the old one")
	}
	broken := strings.Replace(whole, "maxAge", "maxage", 1)
	for range 2 {
		if _, err := load("apps/mm/syncgate.yaml", broken); err == nil {
			t.Error("a broken Gate was read")
		}
	}
	own := strings.Replace(whole, "packs: [mattermost]", "packs: [mattermost, ./own.yaml]", 1)
	one, err := load("apps/mm/syncgate.yaml", own, "apps/mm/own.yaml", ownPack)
	if err != nil {
		t.Fatal(err)
	}
	if two, _ := load("apps/mm/syncgate.yaml", own, "apps/mm/own.yaml", strings.Replace(ownPack, "of this", "of that", 1)); two == one {
		t.Error("a Gate whose pack changed is the old one")
	}
	if _, err := load("apps/mm/syncgate.yaml", own); err == nil {
		t.Error("a Gate whose pack is gone was read")
	}
}
