package values

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWritten(t *testing.T) {
	const file = "a: [1, -2, 010, 1.0, 1e3, 0x1F, 1_000, 1234567890123456]\nb: [true, False, yes, Off, ~]\n" +
		"c: [x, 'yes', \"010\", 1.2.3, 2026-01-02, 12:30, 0o17, =]\nd: [!x 1, !!str 1, !!float 1, !<tag:x.org,2026:y> 1]\n"
	docs, err := Written([]byte("# first\n---\n"+file), "f.yaml", Limits{})
	if err != nil || len(docs) != 1 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	var got []string
	for _, f := range docs[0].Fields {
		var words []string
		for _, item := range f.Value.Items {
			words = append(words, item.Written())
		}
		got = append(got, f.Value.Position().String()+" "+strings.Join(words, ","))
	}
	want := []string{
		"f.yaml:3:1 ,,010,1.0,1e3,0x1F,1_000,",
		"f.yaml:4:1 ,,yes,Off,",
		"f.yaml:5:1 ,,,,2026-01-02,12:30,0o17,=",
		"f.yaml:6:1 !x 1,,!!float 1,!<tag:x.org,2026:y> 1",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// FuzzWritten holds that what is read lies in the file and is the same each time.
func FuzzWritten(f *testing.F) {
	for _, seed := range []string{"a: 010\nb: !x [y]\n", "- 1\n- !!str 2\n", "text\n---\n~\n", "a: &a {b: 1}\nc: {<<: *a, d: !x y}\n", "! {a: 1}\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := Limits{FileSize: 1 << 14}
		docs, err := Written(data, "f.yaml", limits)
		if err != nil {
			return
		}
		again, err := Written(data, "f.yaml", limits)
		if err != nil || !cmp.Equal(docs, again, cmp.AllowUnexported(Node{})) {
			t.Fatalf("read twice, it is not the same: %v", err)
		}
		lines := 1 // as YAML 1.1 breaks them
		for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
			lines += strings.Count(string(data), end)
		}
		var visit func(n *Node)
		visit = func(n *Node) {
			if int(n.Line) > lines {
				t.Fatalf("line %d of %d", n.Line, lines)
			}
			if n.Kind == Number && n.Num-n.Num != 0 {
				t.Fatal("a number that is none")
			}
			for _, f := range n.Fields {
				visit(f.Value)
			}
			for _, item := range n.Items {
				visit(item)
			}
		}
		for _, d := range docs {
			visit(d)
		}
	})
}
