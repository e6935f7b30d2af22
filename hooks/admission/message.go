package admission

import (
	"fmt"
	"strings"
	"time"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/policies/rules"
)

// maxShown is how much of a value or a reason a message shows, in characters.
const maxShown = 200

func (x *Index) refuse(cluster string, r *Request, why string) Decision {
	name := r.Name
	if name == "" {
		name = "(new)"
	}
	return Decision{Message: strings.Join(strings.Fields(fmt.Sprintf("syncgate refuses this %s of %s %s/%s on cluster %s: %s",
		strings.ToLower(string(r.Operation)), r.Kind.Kind, r.Namespace, name, cluster, why)), " ")}
}

// uncovered says which fields change, that no Run covers it, and what to do.
func uncovered(g guardFor, cluster string, changes []change, now time.Time) string {
	var what []string
	for _, c := range changes {
		what = append(what, c.String())
	}
	return fmt.Sprintf("%s; gate %s guards this, and no passed, fresh run covers it (%s). "+
		"Sync the Application in full through Argo CD, so that the PreSync hook runs: a partial sync, --strategy apply, a rollback or self-heal runs none. "+
		"In an emergency: syncgate override --gate %s --cluster %s --revision <commit> --reason <why>",
		strings.Join(what, ", "), g.key.Gate, runs(g, now), g.key.Gate, cluster)
}

// String is the field with its values before and after.
func (c change) String() string {
	if c.created {
		return fmt.Sprintf("%s is %s", c.field.Path, c.show(c.now))
	}
	return fmt.Sprintf("%s %s → %s", c.field.Path, c.show(c.old), c.show(c.now))
}

func (c change) show(v content) string {
	if v.odd {
		return "(" + cut(v.text) + ")"
	}
	key := ""
	for _, s := range c.field.steps {
		if s.field != "" {
			key = s.field
		}
	}
	return fmt.Sprintf("%q", cut(rules.Shown(key, v.text)))
}

// runs says what is known of the Gate's Runs there.
func runs(g guardFor, now time.Time) string {
	if g.state == nil || g.state.Newest == nil {
		return "the server knows no run of it on this cluster"
	}
	n := g.state.Newest
	text := fmt.Sprintf("the newest, %s run %s of revision %.12s, ", n.Phase, n.Run, n.Revision)
	switch {
	case n.Verdict == "":
		return text + "goes on"
	case n.Verdict == hooks.Passed && n.FreshUntil.IsZero():
		return text + "passed, and covers other values"
	case n.Verdict == hooks.Passed && !now.Before(n.FreshUntil):
		return text + fmt.Sprintf("passed, and was fresh until %s", n.FreshUntil.UTC().Format(time.RFC3339))
	case n.Verdict == hooks.Passed || n.Verdict == hooks.Overridden:
		return text + fmt.Sprintf("%s, and has %s", strings.ToLower(string(n.Verdict)), covered(g))
	default:
		return text + fmt.Sprintf("%s at %s: %s", strings.ToLower(string(n.Verdict)), n.Ended.UTC().Format(time.RFC3339), cut(n.Reason))
	}
}

// covered is what the newest cover has for the guard's fields.
func covered(g guardFor) string {
	if len(g.state.Covers) == 0 {
		return "other values"
	}
	values := g.state.Covers[0].Values[g.guard.Target()]
	var parts []string
	for _, f := range g.guard.Fields {
		if v, ok := values[f.Path]; ok {
			parts = append(parts, f.Path+" "+change{field: f}.show(content{text: v}))
		}
	}
	if len(parts) == 0 {
		return "no values for these fields: the guard's expressions found none at that revision, see the server's log"
	}
	return strings.Join(parts, ", ")
}

func cut(s string) string {
	if r := []rune(s); len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return s
}
