package values

import (
	"reflect"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/strvals"

	"github.com/syncgate/syncgate/policies/finding"
)

func position(line int) finding.Position {
	return finding.Position{File: "app.yaml", Line: line, Column: 1}
}

// TestAssignPlaces holds that what is set stands at the assignment, and all
// else where it stood.
func TestAssignPlaces(t *testing.T) {
	base, err := Parse([]byte("a:\n  b: 1\n  c: 2\nlist:\n- x\n- y\n"), "values.yaml", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	merged, pure, err := Assign(base, []Assignment{
		{Name: "a.b", Value: "1", Position: position(10)},
		{Name: "list[1]", Value: "z", Position: position(11)},
		{Name: "new.list[1]", Value: "n", Position: position(12)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		n  *Node
		at string
	}{
		{merged.Get("a").Get("b"), "app.yaml:10:1"}, // set to what it was
		{merged.Get("a").Get("c"), "values.yaml:3:6"},
		{merged.Get("list").Items[0], "values.yaml:5:3"},
		{merged.Get("list").Items[1], "app.yaml:11:1"},
		{merged.Get("new").Get("list").Items[0], "app.yaml:12:1"},
		{pure.Get("list").Items[1], "app.yaml:11:1"},
	} {
		if got := want.n.Position().String(); got != want.at {
			t.Errorf("%+v stands at %s, want %s", want.n, got, want.at)
		}
	}
	if pure.Get("a").Get("c") != nil {
		t.Error("what is not set is part of what the assignments say")
	}
	if n := base.Get("a").Get("b"); n.Position().Line != 2 {
		t.Error("the base was changed")
	}
}

// FuzzAssign holds Assign against Helm's own parser.
func FuzzAssign(f *testing.F) {
	for _, seed := range [][2]string{
		{"a: {b: 1}\n", "a.c=2"}, {"l: [1, {a: 2}]\n", "l[1].a=x"}, {"{}", "a[2].b={x,y}"}, {"a: b\n", "a.b=1"},
		{"l: [1, null, 3]\n", "l={x,null,y}"}, {"a: 1\n", `a\.b=0123`}, {"x: null\n", "x=null"}, {"n: {a: null}\n", "n.b=true,c=1.5,d=99999999999"},
		{"l: [a]\n", "l={}"}, {"l: [[1],[2]]\n", "l[0][1]=q"},
		{"l: [{a: 1}, 2]\n", "l[0].="}, {"l: [1, 2]\n", "l[1].="}, {"l: [[1], 2]\n", "l[0][0].="}, {"l: [[0], {a: {b: 1}}]\n", "l[0].a="}, {"l: [{a: {b: 1}}]\n", "l[0].a.c="},
	} {
		f.Add(seed[0], seed[1], false)
		f.Add(seed[0], seed[1], true)
	}
	f.Fuzz(func(t *testing.T, file, text string, asString bool) {
		base, err := Parse([]byte(file), "values.yaml", Limits{FileSize: 1 << 12})
		if err != nil || strings.Count(text, "[") > 3 || len(text) > 200 {
			return
		}
		name, value, _ := strings.Cut(text, "=")
		want := base.HelmValues()
		parse, how := strvals.ParseInto, SetTyped
		if asString {
			parse, how = strvals.ParseIntoString, SetString
		}
		wantErr := parse(name+"="+value, want)
		merged, _, err := Assign(base, []Assignment{{Name: name, Value: value, How: how, Position: position(1)}})
		if (err != nil) != (wantErr != nil) {
			// What can be set over nothing and not over this, or the other way.
			if parse(name+"="+value, map[string]any{}) == nil {
				t.Fatalf("Helm: %v, Assign: %v", wantErr, err)
			}
			return
		}
		if err != nil {
			return
		}
		if got := merged.HelmValues(); !reflect.DeepEqual(got, want) {
			t.Errorf("%q over %q:\n got %#v\nwant %#v", text, file, got, want)
		}
	})
}
