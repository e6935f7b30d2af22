package delivery

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/syncgate/syncgate/policies/values"
)

// sopsValue is how SOPS writes a value that it encrypted (aes/cipher.go).
var sopsValue = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(sopsForm) })

const (
	sopsForm   = `^ENC\[AES256_GCM,data:` + sopsBase64 + `,iv:` + sopsBase64 + `,tag:` + sopsBase64 + `,type:[a-z]+\]$`
	sopsBase64 = `[A-Za-z0-9+/]+={0,2}`
)

// sopsKeys are the fields of SOPS' metadata that say who can decrypt.
func sopsKeys() []string {
	return []string{"kms", "pgp", "age", "gcp_kms", "azure_kv", "hc_vault", "hckms", "key_groups"}
}

// sopsRules are the rules by which SOPS chose what to encrypt in a document.
type sopsRules struct{ meta *values.Node }

// sopsOf are the rules of a document that SOPS wrote, nil for any other: a key
// of that name does not make one.
func sopsOf(doc *values.Node) *sopsRules {
	meta := doc.Get("sops")
	if meta == nil || meta.Kind != values.Map || textOf(meta.Get("mac")) == "" {
		return nil
	}
	keyed := slices.ContainsFunc(sopsKeys(), func(key string) bool {
		group := meta.Get(key)
		return group != nil && len(group.Items) > 0
	})
	if textOf(meta.Get("version")) == "" && (textOf(meta.Get("lastmodified")) == "" || !keyed) {
		return nil
	}
	return &sopsRules{meta}
}

// leave reports whether the rules leave what stands at a path as it is: those of
// Tree.shouldBeEncrypted in sops.go of SOPS 3, without the ones over comments,
// which are not seen here. A rule that cannot be read leaves nothing.
func (s *sopsRules) leave(path []string) bool {
	suffix := func(key string) func(string) bool {
		text := textOf(s.meta.Get(key))
		return func(name string) bool { return strings.HasSuffix(name, text) }
	}
	pattern := func(key string) func(string) bool {
		re, err := regexp.Compile(textOf(s.meta.Get(key)))
		return func(name string) bool { return err == nil && re.MatchString(name) }
	}
	has := func(key string) bool { return textOf(s.meta.Get(key)) != "" }
	left := has("unencrypted_suffix") && slices.ContainsFunc(path, suffix("unencrypted_suffix"))
	if has("encrypted_suffix") {
		left = !slices.ContainsFunc(path, suffix("encrypted_suffix"))
	}
	if has("unencrypted_regex") && slices.ContainsFunc(path, pattern("unencrypted_regex")) {
		left = true
	}
	if has("encrypted_regex") {
		if _, err := regexp.Compile(textOf(s.meta.Get("encrypted_regex"))); err != nil {
			return false
		}
		left = !slices.ContainsFunc(path, pattern("encrypted_regex"))
	}
	return left
}

// plainOf are those of a document's keys whose values anybody can read. What
// SOPS was told to leave as it is counts only when it encrypted nothing else.
// Nothing is not encrypted, and is no secret.
func plainOf(doc *values.Node, keys []field) []field {
	rules := sopsOf(doc)
	var plain, left []field
	encrypted := false
	for _, k := range keys {
		open, exempt := false, false
		scalars(k.at, k.path, func(n *values.Node, path []string) {
			switch {
			case n.Kind == values.Null, n.Kind == values.String && n.Text == "":
			case rules != nil && sopsValue().MatchString(textOf(n)):
				encrypted = true
			case rules != nil && rules.leave(path):
				exempt = true
			default:
				open = true
			}
		})
		switch {
		case open:
			plain = append(plain, k)
		case exempt:
			left = append(left, k)
		}
	}
	if !encrypted {
		plain = append(plain, left...)
	}
	return plain
}

// scalars calls see with every scalar in n, and the keys that lead to it.
func scalars(n *values.Node, path []string, see func(*values.Node, []string)) {
	switch n.Kind {
	case values.Map:
		for _, f := range n.Fields {
			scalars(f.Value, append(slices.Clone(path), f.Key), see)
		}
	case values.List:
		for _, item := range n.Items {
			scalars(item, path, see)
		}
	default:
		see(n, path)
	}
}
