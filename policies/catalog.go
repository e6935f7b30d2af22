package policies

import (
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/packs"
	"github.com/syncgate/syncgate/policies/rules"
)

// The origins of rules.
const (
	OriginBuiltIn = "built in"
	OriginGate    = "gate"
	OriginPack    = "pack"
)

// RuleInfo is what is to be known of a rule.
type RuleInfo struct {
	// ID is the rule's identity in findings.
	ID string `json:"id"`
	// Origin is "built in", "gate" or "pack".
	Origin string `json:"origin"`
	// Asks is what must hold, or, of a rule in CEL, what to do when it does not.
	Asks string `json:"asks"`
	// From is the field of the Gate that turns it on, or the name of the pack.
	From string `json:"from,omitempty"`
	// OfChange is true for a rule that holds the values against those that
	// passed before.
	OfChange bool `json:"ofChange,omitempty"`
	// Source says where it comes from.
	Source string `json:"source,omitempty"`
}

// builtIn is a built-in rule, and whether a Gate asks it.
type builtIn struct {
	RuleInfo
	asked func(g *gate.Gate) bool
}

// builtIns is the table of built-in rules, in the order in which they are asked.
func builtIns() []builtIn {
	always := func(*gate.Gate) bool { return true }
	return []builtIn{
		{RuleInfo{ID: rules.Identical, From: "spec.perCluster", Asks: "every cluster holds the same value, except at the paths listed under perCluster, unique and skew"}, always},
		{RuleInfo{ID: rules.ListKeys, From: "spec.listKeys", Asks: "every item of a list that has a list key has that field, and no two items of one list the same"},
			func(g *gate.Gate) bool {
				return len(g.Spec.ListKeys) > 0 || slices.ContainsFunc(g.Packs, func(p *packs.Pack) bool { return len(p.ListKeys) > 0 })
			}},
		{RuleInfo{ID: rules.Required, From: "spec.required", Asks: "every cluster sets the path to a value that is neither null nor empty"},
			func(g *gate.Gate) bool { return len(g.Spec.Required) > 0 || len(g.Spec.Secrets) > 0 }},
		{RuleInfo{ID: rules.Unique, From: "spec.unique", Asks: "no two clusters hold the same value at the paths"},
			func(g *gate.Gate) bool { return len(g.Spec.Unique) > 0 }},
		{RuleInfo{ID: rules.Skew, From: "spec.skew", Asks: "the versions at the path are few, beside one another and not too old"},
			func(g *gate.Gate) bool { return len(g.Spec.Skew) > 0 }},
		forbids(rules.ForbiddenSecrets, "no credential stands in the values in plain text"),
		forbids(rules.ForbiddenLatest, "no image has the tag latest, or none"),
		forbids(rules.ForbiddenUnpinned, "every image has a digest"),
		{RuleInfo{ID: rules.Matches, From: "spec.matches", Asks: "the values of every cluster meet the chart's values.schema.json and the schemas listed under matches"},
			func(g *gate.Gate) bool { return g.Spec.Source.Helm != nil || len(g.Spec.Matches) > 0 }},
		{RuleInfo{ID: rules.Waivers, From: "spec.waivers", Asks: "no waiver's last day is over"},
			func(g *gate.Gate) bool { return len(g.Spec.Waivers) > 0 }},
		{RuleInfo{ID: rules.Limits, Asks: "all findings are shown: no limit on their number is hit"}, func(*gate.Gate) bool { return false }},
	}
}

// forbids is a rule over what must not be in the values.
func forbids(what, asks string) builtIn {
	return builtIn{RuleInfo{ID: rules.Forbidden + "/" + what, From: "spec.forbidden", Asks: asks}, func(g *gate.Gate) bool {
		if what == rules.ForbiddenSecrets && len(g.Spec.Secrets) > 0 {
			return true
		}
		return slices.ContainsFunc(g.Spec.Forbidden, func(f gate.Forbidden) bool { return f.What == what })
	}}
}

// BuiltInRules are the rules that need no pack.
func BuiltInRules() []RuleInfo {
	var all []RuleInfo
	for _, b := range builtIns() {
		b.Origin = OriginBuiltIn
		all = append(all, b.RuleInfo)
	}
	return all
}

// PackRules are the rules of a pack.
func PackRules(p *packs.Pack) []RuleInfo {
	var all []RuleInfo
	for _, r := range p.Rules {
		all = append(all, RuleInfo{
			ID: p.Name + "/" + r.Name, Origin: OriginPack, From: p.Name, Asks: oneLine(r.Message), Source: oneLine(r.Source),
			OfChange: r.Program.Uses("old"),
		})
	}
	for _, c := range p.Changes {
		all = append(all, RuleInfo{
			ID: p.Name + "/" + c.Name, Origin: OriginPack, From: p.Name, Asks: oneLine(c.Message), Source: oneLine(c.Source), OfChange: true,
		})
	}
	return all
}

// RulesOf are the rules that a Gate asks.
func RulesOf(g *gate.Gate) []RuleInfo {
	var all []RuleInfo
	for _, b := range builtIns() {
		if b.asked(g) {
			b.Origin = OriginBuiltIn
			all = append(all, b.RuleInfo)
		}
	}
	for _, r := range g.Spec.Rules {
		asks := oneLine(r.Message)
		if asks == "" {
			asks = oneLine(r.Expr)
		}
		all = append(all, RuleInfo{
			ID: "cel/" + r.Name, Origin: OriginGate, From: "spec.rules", Asks: asks,
			OfChange: r.Program != nil && r.Program.Uses("old"),
		})
	}
	for _, p := range g.Packs {
		all = append(all, PackRules(p)...)
	}
	return all
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
