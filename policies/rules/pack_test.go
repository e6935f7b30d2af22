package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/values"
)

// FuzzPack holds that values come back as they were, also those that were written
// down before others by the same packer.
func FuzzPack(f *testing.F) {
	f.Add([]byte("a: {b: [1, -0.5, true, false, null, {}, []], c: ''}\nd: x\n"), []byte("a: x\nx: {d: [[a]]}\n"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		p := newPacker()
		var was []packed
		var want []map[string]any
		for _, data := range [][]byte{first, second, first} {
			n, err := values.Parse(data, "f.yaml", values.Limits{})
			if err != nil {
				return
			}
			was, want = append(was, p.pack(n)), append(want, n.NativeMap())
		}
		for i := range was {
			if diff := cmp.Diff(want[i], was[i].values()); diff != "" {
				t.Fatalf("%d of %q, %q (-want +got):\n%s", i, first, second, diff)
			}
		}
	})
}
