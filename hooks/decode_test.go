package hooks_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/hooks"
)

func validChange() hooks.Change {
	return hooks.Change{Repository: "https://git.example/fleet", Gate: "chat", Cluster: "eu",
		Revision: strings.Repeat("a", 40), Phase: hooks.PreSync, Attempt: "7d2f-1"}
}

func TestDecodeChange(t *testing.T) {
	text, err := json.Marshal(validChange())
	if err != nil {
		t.Fatal(err)
	}
	valid := string(text)
	for _, tt := range []struct{ name, in, err string }{
		{"valid", valid, ""},
		{"valid with space around", " \n" + valid + "\n", ""},
		{"empty", "", "EOF"},
		{"not JSON", "gate: chat", "decode change"},
		{"another kind", "[]", "cannot unmarshal"},
		{"unknown field", `{"gates":"chat"}`, `unknown field "gates"`},
		{"more behind it", valid + "{}", "found more behind it"},
		{"too long", strings.Replace(valid, "fleet", strings.Repeat("x", hooks.MaxChange), 1), "limit of 16384 bytes"},
		{"too long by space", valid + strings.Repeat(" ", hooks.MaxChange), "limit of 16384 bytes"},
		{"short revision", strings.Replace(valid, strings.Repeat("a", 40), "abcdef0", 1), "full commit SHA"},
		{"branch for a revision", strings.Replace(valid, strings.Repeat("a", 40), "refs/heads/main", 1), "full commit SHA"},
		{"phase", strings.Replace(valid, "preSync", "PreSync", 1), "expected preSync, postSync or syncFail"},
		{"gate that leaves", strings.Replace(valid, `"chat"`, `"../chat"`, 1), "gate: expected a DNS name"},
		{"cluster", strings.Replace(valid, `"eu"`, `""`, 1), "cluster: expected a DNS name"},
		{"attempt", strings.Replace(valid, "7d2f-1", "a b", 1), "attempt: expected"},
		{"repository", strings.Replace(valid, "https://git.example/fleet", "", 1), "repository: expected a URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := hooks.DecodeChange(strings.NewReader(tt.in))
			switch {
			case tt.err == "" && err != nil, tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Fatalf("error %v, want %q", err, tt.err)
			case tt.err == "":
				if d := cmp.Diff(validChange(), got); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			}
		})
	}
}

// What is taken is valid, and means the same when it is written again.
func FuzzDecodeChange(f *testing.F) {
	text, err := json.Marshal(validChange())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"repository":"\u0000","gate":"a","GATE":"b"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := hooks.DecodeChange(strings.NewReader(string(in)))
		if err != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("taken, and not valid: %v", err)
		}
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := hooks.DecodeChange(strings.NewReader(string(again))); err != nil || d != c {
			t.Fatalf("written again: %+v, %v; want %+v", d, err, c)
		}
	})
}
