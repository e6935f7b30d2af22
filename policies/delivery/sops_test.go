package delivery

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/values"
)

// TestPlainOf asks what SOPS' rules leave in plain text.
func TestPlainOf(t *testing.T) {
	const sealed = "ENC[AES256_GCM,data:aGk=,iv:AAAA,tag:AAAA,type:str]"
	const file = "a: " + sealed + "\nb_plain: x\nnone:\nempty: \"\"\nlist: [x, \"" + sealed + "\"]\nm: {c: 1}\n"
	tests := []struct {
		name, meta, want string
	}{
		{"no rules", "version: 3.9.0", "b_plain list m.c"},
		{"by date and key", "lastmodified: x, pgp: [{fp: x}]", "b_plain list m.c"},
		{"nobody can decrypt it", "lastmodified: x, pgp: []", "a b_plain list m.c"},
		{"unencrypted suffix", "version: 3.9.0, unencrypted_suffix: _plain", "list m.c"},
		{"encrypted suffix", "version: 3.9.0, encrypted_suffix: st", "list"},
		{"unencrypted regex", "version: 3.9.0, unencrypted_regex: ^(m|list)$", "b_plain"},
		{"encrypted regex", "version: 3.9.0, encrypted_regex: ^(a|m)$", "m.c"},
		{"encrypted regex that is none", "version: 3.9.0, encrypted_regex: (", "b_plain list m.c"},
		{"unencrypted regex that is none", "version: 3.9.0, unencrypted_regex: (", "b_plain list m.c"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			docs, err := values.Documents([]byte(file+"sops: {mac: x, "+test.meta+"}\n"), "s.yaml", values.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, k := range plainOf(docs[0], leaves(docs[0], nil)) {
				names = append(names, k.name())
			}
			if d := cmp.Diff(test.want, strings.Join(names, " ")); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
