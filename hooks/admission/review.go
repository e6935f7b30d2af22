package admission

import (
	"fmt"
	"time"

	"github.com/tidwall/gjson"

	"github.com/syncgate/syncgate/hooks"
)

// Decision is the answer to a Request.
type Decision struct {
	Allowed bool
	// Message says why not: the object, the field, what covers it and what to
	// do. It is one line.
	Message string
	// Warning is told to whoever makes a change that is let through.
	Warning string
}

// Review decides. It waits for nobody.
func (x *Index) Review(cluster string, r *Request) Decision {
	if r.Operation != Create && r.Operation != Update || r.SubResource != "" {
		return Decision{Allowed: true}
	}
	v := x.view.Load()
	guards := x.matching(v, cluster, r)
	doubt := x.doubt(v, cluster, r, len(guards) > 0)
	if len(guards) == 0 && doubt == "" {
		return Decision{Allowed: true} // nobody guards it
	}
	now, old, err := objects(r)
	if err != nil {
		return x.refuse(cluster, r, fmt.Sprintf("the object could not be read (%v), and what cannot be read is refused", err))
	}
	var out Decision
	for _, g := range guards {
		d := x.judge(g, cluster, r, pair{now, old})
		switch {
		case !d.Allowed && doubt != "":
			return x.refuse(cluster, r, doubt)
		case !d.Allowed:
			return d
		case d.Warning != "":
			out.Warning = d.Warning
		}
	}
	// A person's decision is not held up by what is not known of other Gates.
	if doubt != "" && out.Warning == "" && (!old.Exists() || !sameWanted(now, old)) {
		return x.refuse(cluster, r, doubt)
	}
	out.Allowed = true
	return out
}

// pair is the object as it is to be, and as it is: nothing when it is new.
type pair struct{ now, old gjson.Result }

func objects(r *Request) (now, old gjson.Result, err error) {
	if now, err = r.object(r.Object); err != nil {
		return now, old, fmt.Errorf("object: %w", err)
	}
	if r.Operation == Create {
		return now, old, nil
	}
	if old, err = r.object(r.Old); err != nil {
		return now, old, fmt.Errorf("oldObject: %w", err)
	}
	return now, old, nil
}

// doubt is why it is not known who guards the object, "" when it is.
func (x *Index) doubt(v *view, cluster string, r *Request, guarded bool) string {
	switch trouble := v.clusters[cluster].trouble(); {
	case !v.loaded:
		return "the server is still reading its runs; try again in a few seconds"
	case trouble != "":
		return "not every guard of the cluster is known: " + trouble + "; it is tried again by itself, and the server's log has more"
	case !guarded && !x.speaksOf(v, cluster, r.Namespace):
		return fmt.Sprintf("the namespace is labelled %s=%s, and the server knows no guard there; "+
			"name the guarded objects in spec.guards of the Gate, whose namespace must be this one, and sync once in full; or take the label off",
			NamespaceLabel, LabelValue)
	}
	return ""
}

// judge holds the object against one guard.
func (x *Index) judge(g guardFor, cluster string, r *Request, p pair) Decision {
	if g.guard.Kind.Version != r.Kind.Version {
		return x.refuse(cluster, r, fmt.Sprintf("it was sent as version %s, and the guard of gate %s reads version %s; "+
			"name %s in the webhook's rules, with matchPolicy Equivalent", r.Kind.Version, g.key.Gate, g.guard.Kind.Version, g.guard.Kind.Version))
	}
	changes, readable := compare(g.guard, p)
	if p.old.Exists() && len(changes) == 0 {
		return Decision{Allowed: true}
	}
	moment := x.now()
	if readable && g.state != nil {
		for _, c := range g.state.Covers {
			if moment.Before(c.Until) && c.has(g.guard, p.now) {
				return Decision{Allowed: true, Warning: c.warning()}
			}
		}
		if b := g.state.Baseline; b != nil && !p.old.Exists() && b.has(g.guard, p.now) {
			return Decision{Allowed: true}
		}
	}
	return x.refuse(cluster, r, uncovered(g, cluster, changes, moment))
}

// change is one guarded field that is to become something else.
type change struct {
	field    Field
	old, now content
	created  bool
}

// compare lists the guarded fields that change; all of them for a new object.
// readable is false when a field is to become what no Run can name.
func compare(g Guard, p pair) (changes []change, readable bool) {
	readable = true
	for _, f := range g.Fields {
		c := change{field: f, now: f.read(p.now), created: !p.old.Exists()}
		if !c.created {
			c.old = f.read(p.old)
		}
		readable = readable && !c.now.odd
		if c.created || c.now != c.old {
			changes = append(changes, c)
		}
	}
	return changes, readable
}

// has reports whether the Run has for every field of the guard what the object
// is to have: a version of one Run beside an image of another is covered by
// neither.
func (c Cover) has(g Guard, object gjson.Result) bool {
	values, ok := c.Values[g.Target()]
	if !ok {
		return false
	}
	for _, f := range g.Fields {
		want, ok := values[f.Path]
		if !ok || want != f.read(object).text {
			return false
		}
	}
	return true
}

func (c Cover) warning() string {
	if c.Verdict != hooks.Overridden {
		return ""
	}
	return fmt.Sprintf("syncgate: let through by an override, run %s, which ends at %s", c.Run, c.Until.UTC().Format(time.RFC3339))
}
