package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/values"
)

// TestNumbersOfParametersAndFiles holds numbers that a parameter sets, which Helm
// keeps whole, against those of a file, which it makes floats of.
func TestNumbersOfParametersAndFiles(t *testing.T) {
	tests := []struct{ name, key, parameter, file, want string }{
		{"small", "size", "1", "1", ""},
		{"zero", "size", "0", "0", ""},
		{"negative", "size", "-5", "-5", ""},
		{"the largest that is printed alike", "size", "999999", "999999", ""},
		{"others", "size", "1", "2", "found no majority: 1 in eu; 2 in us"},
		{"a fraction", "size", "1", "1.5", "found no majority: 1 in eu; 1.5 in us"},
		{"printed with an exponent", "size", "1000000", "1000000", "found no majority: 1000000 in eu; 1000000 (from a file, which Helm prints as 1e+06) in us"},
		{"more than a float holds", "size", "9007199254740993", "9007199254740992",
			"found no majority: 9007199254740992 (from a file, which Helm prints as 9.007199254740992e+15) in us; 9007199254740993 in eu"},
		{"secret and printed alike", "password", "123456", "123456", ""},
		{"secret and printed with an exponent", "password", "12345678", "12345678", "found no majority: <redacted> in eu; <redacted> in us"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, _, err := values.Assign(parse(t, "x: y"), []values.Assignment{{Name: tt.key, Value: tt.parameter}})
			if err != nil {
				t.Fatal(err)
			}
			file := parse(t, "x: y\n"+tt.key+": "+tt.file)
			fleet, err := NewFleet(Options{Clusters: []string{"eu", "us"}, Files: []string{"eu", "us"}})
			if err != nil {
				t.Fatal(err)
			}
			w := fleet.Worker()
			w.Add(0, set)
			w.Add(1, file)
			found, _, err := fleet.Findings(t.Context(), make([]Before, 2))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if len(found) > 0 {
				_, got, _ = strings.Cut(found[0].Message, ", ")
				if strings.Contains(got, "prints") != strings.HasPrefix(found[0].Fix, "set it in the same way") {
					t.Errorf("fix: %s", found[0].Fix)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			stacks, err := NewStacks(nil)
			if err != nil {
				t.Fatal(err)
			}
			if same := stacks.digest(set) == stacks.digest(file); same != (tt.want == "") {
				t.Errorf("explain takes them for the same: %v", same)
			}
		})
	}
}

func TestWholeNumbersThatAreLargeAreNotOne(t *testing.T) {
	var roots []*values.Node
	for _, n := range []string{"9007199254740993", "9007199254740992"} {
		root, _, err := values.Assign(parse(t, "x: y"), []values.Assignment{{Name: "password", Value: n}, {Name: "size", Value: n}})
		if err != nil {
			t.Fatal(err)
		}
		roots = append(roots, root)
	}
	fleet, err := NewFleet(Options{Clusters: []string{"eu", "us"}, Files: []string{"eu", "us"}})
	if err != nil {
		t.Fatal(err)
	}
	w := fleet.Worker()
	w.Add(0, roots[0])
	w.Add(1, roots[1])
	found, _, err := fleet.Findings(t.Context(), make([]Before, 2))
	if err != nil || len(found) != 2 {
		t.Fatalf("%v, %v", found, err)
	}
	if want := "found no majority: 9007199254740992 in us; 9007199254740993 in eu"; !strings.HasSuffix(found[1].Message, want) {
		t.Errorf("%s, want %s", found[1].Message, want)
	}
}
