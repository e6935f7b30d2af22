package reference

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/packs"
)

const rulesFile = "../../../docs/reference/rules.md"

// TestRulesAreCurrent keeps docs/reference/rules.md true to the rules.
func TestRulesAreCurrent(t *testing.T) {
	intro, err := os.ReadFile("testdata/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| rule | asks that | in the Gate |\n|---|---|---|\n")
	for _, r := range policies.BuiltInRules() {
		from := r.From
		if from != "" {
			from = "`" + from + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.ID, cell(r.Asks), from)
	}
	text := strings.Replace(string(intro), "%BUILTIN%\n", b.String(), 1)
	b.Reset()
	b.WriteString(text)
	for _, name := range packs.Names() {
		p, err := packs.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		describeRules(&b, p)
	}
	current(t, rulesFile, []byte(b.String()))
}

// describeRules writes the rules of a pack, and what it knows of versions.
func describeRules(b *strings.Builder, p *packs.Pack) {
	fmt.Fprintf(b, "\n## Pack `%s`\n\nFor %s.\n\n| rule | of a change | when it does not hold | source |\n|---|---|---|---|\n", p.Name, p.Description)
	for _, r := range policies.PackRules(p) {
		change := ""
		if r.OfChange {
			change = "yes"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", r.ID, change, cell(r.Asks), cell(r.Source))
	}
	if len(p.Parts) > 0 {
		b.WriteString("\n| part | chart | version | image | source |\n|---|---|---|---|---|\n")
	}
	for _, part := range p.Parts {
		for _, place := range part.Places {
			fmt.Fprintf(b, "| %s | `%s` | `%s` | `%s` | %s |\n", part.Description, place.Chart, place.Version, place.Image, cell(place.Source))
		}
	}
	for _, c := range p.Changes {
		if c.Steps != nil {
			fmt.Fprintf(b, "\n`%s/%s` goes by the lines %s.\n", p.Name, c.Name, strings.Join(c.Steps.Lines, ", "))
		}
		if c.BadPairs == nil {
			continue
		}
		fmt.Fprintf(b, "\n`%s/%s` knows:\n\n| from | to | why | instead | source |\n|---|---|---|---|---|\n", p.Name, c.Name)
		for _, pair := range c.BadPairs.Pairs {
			fmt.Fprintf(b, "| `%s` | `%s` | %s | %s | %s |\n", pair.From, pair.To, cell(words(pair.Reason)), cell(words(pair.Instead)), cell(words(pair.Source)))
		}
	}
}
