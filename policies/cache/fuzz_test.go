package cache

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecode holds that whatever is taken for an entry is one to the byte, with
// the checksum made right, so that the fuzzer gets behind it.
func FuzzDecode(f *testing.F) {
	key := Key("k")
	good := entry{questions: []question{{0, kindFile, "a/b"}, {1, kindDir, "."}}, data: []byte("{}")}
	f.Add(good.encode(key)[len(magic)+32:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, rest []byte) {
		sum := checksum(key, rest)
		raw := append(append([]byte(magic), sum[:]...), rest...)
		e, err := decode(key, raw)
		if err == nil && !bytes.Equal(e.encode(key), raw) {
			t.Fatalf("%q is read as another entry", rest)
		}
	})
}

func TestEntryRoundTrip(t *testing.T) {
	key := Key("k")
	want := entry{questions: []question{{0, kindFile, "a/b"}, {1, kindLink, "c"}}, sum: digest{1, 2}, data: []byte("data")}
	got, err := decode(key, want.encode(key))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(entry{}, question{})); diff != "" {
		t.Error(diff)
	}
}
