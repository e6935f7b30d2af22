package policies

import (
	"fmt"
	"strings"

	"github.com/syncgate/syncgate/policies/delivery"
	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/rules"
	"github.com/syncgate/syncgate/policies/values"
)

// plainSecrets says which Secrets beside the values must not be in plain text:
// all but those that the Gate excepts where it forbids secrets. It is nil when
// the Gate names none. It holds without being listed in the Gate, because a
// Secret in plain text is none of the kinds that spec.secrets asks for.
func plainSecrets(g *gate.Gate) (*rules.ForbiddenRule, error) {
	if len(g.Spec.Secrets) == 0 {
		return nil, nil
	}
	r := &rules.ForbiddenRule{What: rules.ForbiddenSecrets}
	for _, f := range g.Spec.Forbidden {
		if f.What != rules.ForbiddenSecrets {
			continue
		}
		for _, p := range f.Except {
			var err error
			if r.Except, err = appendGlob(r.Except, p); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// secrets says which Secrets a cluster does not have, and which of them
// everybody who sees the repository can read.
func (in *inspection) secrets(root *values.Node) []finding.Said {
	var said []finding.Said
	for _, want := range in.src.gate.Spec.Secrets {
		path := []string{keypath.Field(secretsKey), keypath.Field(want.Name)}
		n := root.Get(secretsKey).Get(want.Name)
		switch {
		case n == nil:
			said = append(said, absent(path, want, in.src.gate.File, finding.Position{File: in.src.gate.File}, "none"))
			continue
		case n.Get(delivery.SecretFound) == nil:
			other := n.Get(delivery.SecretElsewhere)
			said = append(said, absent(path, want, in.src.gate.File, other.Position(), "one in namespace "+other.Text+", which is not the one that is asked for (namespace of spec.secrets, else the Gate's there)"))
			continue
		}
		plain := n.Get(delivery.SecretPlain)
		if plain == nil || !in.plain.Covers(path) {
			continue
		}
		said = append(said, finding.Said{
			Rule: rules.Forbidden + "/" + rules.ForbiddenSecrets, Path: keypath.Format(path), At: plain.Position(), Value: "<redacted>",
			Problem: fmt.Sprintf("expected Secret %s to be sealed, external or encrypted by SOPS, found in plain text %s", want.Name, keysIn(plain)),
			Fix: "seal or encrypt it, and have what it holds changed where it is used: it stays in Git's history; or, if anybody may read it, " +
				fmt.Sprintf("add %s to the except of {what: secrets} in spec.forbidden of %s", keypath.Format(path), in.src.gate.File),
		})
	}
	return said
}

func absent(path []string, want gate.Secret, file string, at finding.Position, found string) finding.Said {
	return finding.Said{
		Rule: rules.Required, Path: keypath.Format(append(path, keypath.Field(delivery.SecretFound))), At: at, Value: "null",
		Problem: fmt.Sprintf("expected Secret %s among the files %s, found %s", want.Name, want.Path, found),
		Fix:     "put it there as SealedSecret, ExternalSecret or encrypted by SOPS, or correct spec.secrets in " + file,
	}
}

// keysIn names keys, not all when there are many.
func keysIn(list *values.Node) string {
	const most = 5
	var names []string
	for _, item := range list.Items {
		if len(names) == most {
			return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), len(list.Items)-most)
		}
		names = append(names, item.Text)
	}
	return strings.Join(names, ", ")
}
