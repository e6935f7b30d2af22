package policies_test

import (
	"strings"
	"testing"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/packs"
)

// shop is a pack of an application that nothing in the program knows: a plain
// Deployment with its database.
const shop = `name: shop
description: a shop that is one Deployment, and its database
parts:
  - name: database
    description: the database
    places:
      - {chart: shop, version: postgres.tag, image: postgres.repository}
  - name: web
    description: the shop
    places:
      - {chart: shop, version: image.tag, image: image.repository, appVersion: true}
changes:
  - {name: forward, noDowngrade: web, message: go on}
  - {name: database-first, separate: [database, web], message: the database first}
  - {name: lines, steps: {part: web, lines: ["2.0", "3.0"]}}
  - name: bad
    badPairs:
      part: database
      pairs:
        - {from: "<16", to: ">=17", reason: 16 changes the layout, instead: go to 16}
  - {name: same, sameImage: web, message: keep it}
  - {name: fits, chartFits: web, message: raise both}
cases:
  - name: each kind says no
    clusters:
      a: {image: {repository: x/shop, tag: 1.9.0}, postgres: {tag: 15.1.0}}
      b: {image: {repository: x/shop, tag: 2.1.0}, postgres: {tag: 15.2.0}}
      c: {image: {repository: x/shop, tag: 3.0.0}, postgres: {tag: 15.1.0}}
      d: {image: {repository: x/shop, tag: 2.0.0}, postgres: {tag: 17.0.0}}
      e: {image: {repository: x/store, tag: 2.0.0}, postgres: {tag: 15.1.0}}
    old:
      a: {image: {repository: x/shop, tag: 2.0.0}, postgres: {tag: 15.1.0}}
      b: {image: {repository: x/shop, tag: 2.0.0}, postgres: {tag: 15.1.0}}
      c: {image: {repository: x/shop, tag: 1.0.0}, postgres: {tag: 15.1.0}}
      d: {image: {repository: x/shop, tag: 2.0.0}, postgres: {tag: 15.1.0}}
      e: {image: {repository: x/shop, tag: 2.0.0}, postgres: {tag: 15.1.0}}
    chart: {name: shop, version: 1.1.0, appVersion: 4.0.0}
    oldChart: {name: shop, version: 1.0.0, appVersion: 2.0.0}
    want: [forward, database-first, lines, bad, same, fits]
    says:
      - "expected 2.0.0 or later of the shop, which ran before, found 1.9.0, in a"
      - "found the database from 15.1.0 to 15.2.0 and the shop from 2.0.0 to 2.1.0, in b"
      - "expected the shop to go from 1.0.0 to 2.0 at most, found 3.0.0, in c"
      - "known to fail, found 15.1.0 to 17.0.0: 16 changes the layout, in d"
      - go to 16
      - "expected the image shop of the shop, which ran before, found store, in e"
      - "expected the shop at 4.0.0, for which chart shop 1.1.0 is made, found that the values keep 2.0.0, in d, e"
`

// TestTheCoreKnowsNoApplication holds every kind of change against a pack of
// another application.
func TestTheCoreKnowsNoApplication(t *testing.T) {
	p, err := packs.Decode([]byte(shop), "shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	results, err := policies.TestPack(t.Context(), p)
	if err != nil || len(results) != 1 {
		t.Fatal(results, err)
	}
	if r := results[0]; len(r.Problems) > 0 {
		t.Errorf("%s\n%s", strings.Join(r.Problems, "\n"), strings.Join(brief(r.Findings), "\n"))
	}
}

func TestTestPackSaysWhatIsWrong(t *testing.T) {
	wrong := strings.NewReplacer("[forward, database-first,", "[forward, forward,", "- go to 16", "- go to 15").Replace(shop)
	p, err := packs.Decode([]byte(wrong), "shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	results, err := policies.TestPack(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(results[0].Problems, "\n")
	if len(results[0].Problems) != 2 || !strings.Contains(text, "expected the findings bad, fits, forward, forward") || !strings.Contains(text, `expected "go to 15"`) {
		t.Errorf("problems:\n%s", text)
	}
}

func TestPacksAreChecked(t *testing.T) {
	for old, change := range map[string][2]string{
		"name: shop":                {"name: cel", "stands for the Gate's own rules"},
		"noDowngrade: web":          {"noDowngrade: wbe", `expected a part of the pack, found "wbe"`},
		"sameImage: web,":           {"sameImage: web, chartFits: web,", "expected exactly one of"},
		`lines: ["2.0", "3.0"]`:     {`lines: ["3.0", "2.0"]`, "ascending order"},
		`from: "<16"`:               {`from: "newest"`, "expected a range of versions"},
		"version: postgres.tag":     {`version: "postgres.*"`, "key paths of plain names"},
		"name: database-first":      {"name: forward", "expected a name of its own"},
		"description: the database": {"unheardOf: the database", "unheardOf"},
	} {
		_, err := packs.Decode([]byte(strings.Replace(shop, old, change[0], 1)), "shop.yaml")
		if err == nil || !strings.Contains(err.Error(), change[1]) {
			t.Errorf("%s: error %v, want %q", change[0], err, change[1])
		}
	}
}

// changesOf are the names of the changes of the mattermost pack.
func changesOf(t *testing.T) (names []string) {
	t.Helper()
	p, err := packs.Load("mattermost")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Changes {
		names = append(names, c.Name)
	}
	return names
}
