package delivery

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/values"
)

// dataRef names one key of a ConfigMap or Secret.
type dataRef struct {
	kind, name, key string
	optional        bool
	at              *values.Node // the reference
	cluster         string       // what it delivers to
}

// content is the text under a key.
type content struct {
	text  string
	at    *values.Node
	part  values.Part // where its lines are
	files []string
}

// Why a reference cannot be read in Git.
const (
	whyAbsent   = "not in the repository"
	whySealed   = "SealedSecret"
	whyExternal = "ExternalSecret"
	whySOPS     = "encrypted by SOPS"
)

// data reads what a reference of user names. It is nil with a reason why when
// Git does not show it: a Secret that is encrypted, comes from elsewhere or is
// not there, or something optional that is not there.
func (x *expansion) data(user *object, ref dataRef) (*content, string, error) {
	if ref.kind != kindConfigMap && ref.kind != kindSecret {
		return nil, "", user.failAt(ref.at, fmt.Sprintf("valuesFrom: expected kind ConfigMap or Secret, found %.40q", ref.kind), "correct it")
	}
	found, err := x.lookup(user, ref.kind, user.namespace, ref.name)
	if err != nil {
		return nil, "", err
	}
	if found == nil {
		return x.absent(user, ref)
	}
	if found.node.Get("sops") != nil {
		return nil, whySOPS, nil
	}
	if found, err = x.substituted(found, ref.cluster); err != nil {
		return nil, "", err
	}
	c, err := x.entry(user, found, ref)
	if c != nil && encrypted(c.text) {
		return nil, whySOPS, nil
	}
	return c, "", err
}

// encrypted reports whether SOPS encrypted a text: a generator may have put a
// file of it into a Secret.
func encrypted(text string) bool {
	return strings.HasPrefix(text, "ENC[AES256_GCM,") || strings.Contains(text, "\nsops:") || strings.HasPrefix(text, "sops:")
}

// entry reads one key of an object that was found, nil when it may lack it.
func (x *expansion) entry(user, found *object, ref dataRef) (*content, error) {
	f := found.fields()
	at := f.of(values.String, []string{"data", ref.key})
	if plain := f.of(values.String, []string{"stringData", ref.key}); plain != nil && ref.kind == kindSecret {
		return &content{plain.Text, plain, found.part(plain, "stringData", ref.key), found.files}, f.err
	}
	switch {
	case f.err != nil:
		return nil, f.err
	case at == nil && ref.optional:
		return nil, nil
	case at == nil:
		return nil, user.failAt(ref.at, fmt.Sprintf("valuesFrom names key %s of %s, which does not have it", ref.key, found.title()),
			"correct valuesKey, which is values.yaml when it is not set, or add the key")
	case ref.kind == kindConfigMap:
		return &content{at.Text, at, found.part(at, "data", ref.key), found.files}, nil
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(at.Text))
	if err != nil {
		return nil, found.failAt(at, "data."+ref.key+" is not base64", "correct it, or write it under stringData")
	}
	place := at.Position()
	return &content{string(raw), at, values.Part{File: at.File, Fixed: &place}, found.files}, nil
}

// part is where the lines of one of the object's strings are, which stands at a
// path.
func (o *object) part(n *values.Node, path ...string) values.Part {
	if o.was != nil {
		if before := at(o.was, path); before != nil && strings.Count(before.Text, "\n") == strings.Count(n.Text, "\n") {
			n = before // as it stands in the file
		}
	}
	if p, ok := o.parts[n]; ok {
		return p
	}
	return values.Block(n, o.source)
}

// absent says what it means that there is no object of the name.
func (x *expansion) absent(user *object, ref dataRef) (*content, string, error) {
	if ref.kind == kindConfigMap && !ref.optional {
		return nil, "", user.failAt(ref.at, fmt.Sprintf("valuesFrom names ConfigMap %s, which is not among the objects that %s finds", ref.name, x.field),
			"add the file or kustomization that has it there")
	}
	if ref.kind == kindConfigMap {
		return nil, whyAbsent, nil
	}
	sealed, err := x.namesakes(user, kindSealedSecret, ref.name)
	if err != nil {
		return nil, "", err
	}
	for _, o := range sealed {
		if o.sees(user) && o.sharesNamespace(user) {
			return nil, whySealed, nil
		}
	}
	for _, o := range x.objects {
		if o.kind != kindExternalSecret || !o.sees(user) {
			continue
		}
		if target := o.fields().text("spec", "target", "name"); strings.Contains(o.name+o.namespace+target, "$") {
			if o, err = x.substituted(o, ref.cluster); err != nil {
				return nil, "", err
			}
		}
		target := o.fields().text("spec", "target", "name")
		if o.sharesNamespace(user) && (target == ref.name || target == "" && o.name == ref.name) {
			return nil, whyExternal, nil
		}
	}
	return nil, whyAbsent, nil
}

// sharesNamespace reports whether two objects may be in one namespace: one that
// does not say which may be in any.
func (o *object) sharesNamespace(other *object) bool {
	return o.namespace == "" || other.namespace == "" || o.namespace == other.namespace
}

// sees reports whether an object is delivered to the same cluster as user.
func (o *object) sees(user *object) bool { return o.cluster == "" || o.cluster == user.cluster }

// lookup finds the object that user refers to, nil when there is none.
func (x *expansion) lookup(user *object, kind, namespace, name string) (*object, error) {
	var found *object
	all, err := x.namesakes(user, kind, name)
	for _, o := range all {
		if !o.sees(user) || o.namespace != "" && namespace != "" && o.namespace != namespace {
			continue
		}
		if found != nil {
			return nil, user.fail(fmt.Sprintf("refers to %s, which is there twice: %s and %s", o.title(), found.position(), o.position()),
				`narrow spec.clustersFrom, or write "${cluster}" where a path has the cluster's name`)
		}
		found = o
	}
	return found, err
}

// namesakes are the objects of a kind and name, as they are applied where user
// is.
func (x *expansion) namesakes(user *object, kind, name string) ([]*object, error) {
	const variable = "$" // the name of those that have a variable in it
	if x.index == nil {
		x.index = map[[2]string][]*object{}
		for _, o := range x.objects {
			key := [2]string{o.kind, o.name}
			if strings.Contains(o.name+o.namespace, variable) {
				key[1] = variable
			}
			x.index[key] = append(x.index[key], o)
		}
	}
	all := x.index[[2]string{kind, name}]
	open := x.index[[2]string{kind, variable}]
	if len(open) == 0 {
		return all, nil
	}
	cluster, err := x.clusterOf(user)
	if err != nil {
		return nil, err
	}
	all = slices.Clone(all)
	for _, o := range open {
		if !o.sees(user) {
			continue
		}
		if o, err = x.substituted(o, cluster); err != nil {
			return nil, err
		}
		if o.name == name {
			all = append(all, o)
		}
	}
	return all, nil
}
