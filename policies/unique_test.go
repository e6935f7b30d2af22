package policies_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies/gate"
)

func TestUniqueAndSkew(t *testing.T) {
	const keys = "  listKeys:\n  - {path: env, key: name}\n"
	unique := func(path string) string { return "  unique:\n  - path: " + path + "\n" }
	skew := func(more string) string { return "  skew:\n  - {path: image.tag" + more + "}\n" }
	tag := func(v string) string { return "image: {tag: " + v + "}\n" }
	tests := []struct {
		name, spec, eu, us, ap string
		want                   []string
	}{
		{name: "all differ", spec: unique("db"), eu: "db: a\n", us: "db: b\n", ap: "db: c\n"},
		{name: "two share", spec: unique("db"), eu: "db: a\n", us: "db: b\n", ap: "db: a\n",
			want: []string{`unique db: expected a value of its own in every cluster, found "a" in ap, eu`}},
		{name: "all share", spec: unique("db"), eu: "db: a\n", us: "db: a\n", ap: "db: a\n",
			want: []string{`unique db: expected a value of its own in every cluster, found "a" in ap, eu, us`}},
		{name: "not set and empty are no values", spec: unique("db"), eu: "db: a\n", us: "db: ''\n", ap: "db: ''\n"},
		{name: "the same text", spec: unique("db"), eu: "db: 1\n", us: "db: '1'\n", ap: "db: 1.5\n",
			want: []string{`unique db: expected a value of its own in every cluster, found "1" or 1 in eu, us`}},
		{name: "a switch and a text", spec: unique("db"), eu: "db: true\n", us: "db: 'true'\n", ap: "db: x\n",
			want: []string{`unique db: expected a value of its own in every cluster, found "true" or true in eu, us`}},
		{name: "in either case", spec: unique("host"), eu: "host: chat.example.com\n", us: "host: Chat.Example.com\n", ap: "host: ap.example.com\n",
			want: []string{`unique host: expected a value of its own in every cluster, found "Chat.Example.com" or "chat.example.com" in eu, us`}},
		{name: "secret texts and numbers", spec: unique("db.password"), eu: "db: {password: 12345}\n", us: "db: {password: '12345'}\n", ap: "db: {password: '123456'}\n",
			want: []string{`unique db.password: expected a value of its own in every cluster, found <redacted> in eu, us`}},
		{name: "a text and a map", spec: unique("db"), eu: "db: x\n", us: "db: y\n", ap: "db: {name: x}\n"},
		{name: "at any of the paths", spec: unique("hosts[*].name"),
			eu: "hosts: [{name: a}, {name: b}]\n", us: "hosts: [{name: c}, {name: a}]\n", ap: "hosts: [{name: d}, {name: d}]\n",
			want: []string{`unique hosts[*].name: expected a value of its own in every cluster, found "a" in eu, us`}},
		{name: "secret values are compared and not shown", spec: unique("db.password"), eu: "db: {password: s3cr3t}\n", us: "db: {password: s3cr3t}\n", ap: "db: {password: other}\n",
			want: []string{`unique db.password: expected a value of its own in every cluster, found <redacted> in eu, us`}},
		{name: "by item", spec: keys + unique("env[name=URL].value"), eu: "env: [{name: URL, value: a}]\n", us: "env: [{name: URL, value: a}]\n", ap: "env: [{name: URL, value: b}]\n",
			want: []string{`unique env[name=URL].value: expected a value of its own in every cluster, found "a" in eu, us`}},
		{name: "misspelled", spec: unique("dv"), eu: "db: a\n", us: "db: a\n", ap: "db: a\n",
			want: []string{`unique dv: expected a single value there, found that no cluster sets it`}},
		{name: "a map", spec: unique("m"), eu: "m: {a: 1}\n", us: "m: {a: 1}\n", ap: "m: {a: 1}\n",
			want: []string{`unique m: expected a single value there, found a map, a list or nothing in every cluster`}},
		{name: "unique beside perCluster", spec: "  perCluster:\n  - path: \"**\"\n" + unique("db"), eu: "db: a\n", us: "db: a\n", ap: "db: c\n",
			want: []string{`unique db: expected a value of its own in every cluster, found "a" in eu, us`}},

		{name: "one version", spec: skew(""), eu: tag("11.6.1"), us: tag("11.6.1"), ap: tag("11.6.1")},
		{name: "two neighbours", spec: skew(""), eu: tag("11.7.0"), us: tag("11.6.1"), ap: tag("11.6.1")},
		{name: "digests", spec: skew(""), eu: tag(`"11.7.0@sha256:ab"`), us: tag(`"11.6.1@sha256:cd"`), ap: tag(`"11.6.1@sha256:cd"`)},
		{name: "three versions", spec: skew(""), eu: tag("11.7.0"), us: tag("11.6.1"), ap: tag("11.6.2"),
			want: []string{`skew image.tag: expected at most 2 neighbouring versions (minor), found 3: "11.6.1", "11.6.2", "11.7.0"`}},
		{name: "three are allowed", spec: skew(", versions: 3"), eu: tag("11.7.0"), us: tag("11.6.1"), ap: tag("11.5.0")},
		{name: "no neighbours", spec: skew(""), eu: tag("11.7.0"), us: tag("11.5.1"), ap: tag("11.5.1"),
			want: []string{`skew image.tag: expected at most 2 neighbouring versions (minor), found "11.5.1" in ap, us and next "11.7.0" in eu, which are no neighbours`}},
		{name: "patches only", spec: skew(", apart: patch"), eu: tag("11.7.0"), us: tag("11.6.1"), ap: tag("11.6.1"),
			want: []string{`skew image.tag: expected at most 2 neighbouring versions (patch), found "11.6.1" in ap, us and next "11.7.0" in eu, which are no neighbours`}},
		{name: "too old", spec: skew(", oldest: 11.7.0"), eu: tag("11.7.0"), us: tag("11.6.1"), ap: tag("11.7.0"),
			want: []string{`skew image.tag: expected at most 2 neighbouring versions (minor), none older than 11.7.0, found "11.6.1" in us`}},
		{name: "no version", spec: skew(""), eu: tag("latest"), us: tag("11.6.1"), ap: tag("11.6.1"),
			want: []string{`skew image.tag: expected at most 2 neighbouring versions (minor), found "latest" in eu, which is no version`}},
		{name: "digest alone", spec: skew(""), eu: tag("sha256:0123"), us: tag("11.6.1"), ap: tag("11.6.1"),
			want: []string{`skew image.tag: expected at most 2 neighbouring versions (minor), found "sha256:0123" in eu, which is no version`}},
		{name: "no version in one", spec: skew(""), eu: "a: 1\n", us: "a: 1\n" + tag("11.6.1"), ap: "a: 1\n" + tag("11.6.1"),
			want: []string{`skew image.tag: expected at most 2 neighbouring versions (minor), found nothing in eu, where a version is expected`}},
		{name: "an empty version", spec: skew(""), eu: tag(`""`), us: tag("11.6.1"), ap: tag("11.6.1"),
			want: []string{`skew image.tag: expected at most 2 neighbouring versions (minor), found "" in eu, which is no version`}},
		{name: "null for a version", spec: "  perCluster: [{path: image.tag}]\n  skew: [{path: \"images[0].tag\"}]\n", eu: "images: [{tag: null}]\n", us: "images: [{tag: 1.0.0}]\n", ap: "images: [{tag: 1.0.0}]\n",
			want: []string{`skew images[0].tag: expected at most 2 neighbouring versions (minor), found null in eu, which is no version`}},
		{name: "a map for a version", spec: skew(""), eu: tag("{x: 1}"), us: tag("11.6.1"), ap: tag("{x: 1}"),
			want: []string{`skew image.tag: expected at most 2 neighbouring versions (minor), found {"x":1} in ap, eu, which is no version`}},
		{name: "an empty map for a version", spec: skew(""), eu: tag("{}"), us: tag("11.6.1"), ap: tag("11.6.1"),
			want: []string{`skew image.tag: expected at most 2 neighbouring versions (minor), found {} in eu, which is no version`}},
		{name: "a list for a version", spec: skew(""), eu: tag("[11.6.1]"), us: tag("11.6.1"), ap: tag("11.6.1"),
			want: []string{`skew image.tag: expected at most 2 neighbouring versions (minor), found ["11.6.1"] in eu, which is no version`}},
		{name: "nothing and too far apart", spec: skew(""), eu: "", us: tag("11.6.1"), ap: tag("11.8.0"),
			want: []string{`skew image.tag: expected at most 2 neighbouring versions (minor), found nothing in eu, where a version is expected; "11.6.1" in us and next "11.8.0" in ap, which are no neighbours`}},
		{name: "each path of a glob", spec: "  skew: [{path: \"*.tag\"}]\n", eu: "a: {tag: 1.0.0}\nb: {tag: 2.0.0}\n", us: "a: {tag: 1.0.0}\nb: {}\n", ap: "a: {tag: 1.0.0}\nb: {tag: 2.0.0}\n",
			want: []string{`skew b.tag: expected at most 2 neighbouring versions (minor), found nothing in us, where a version is expected`}},
		{name: "a part that some have, by a glob", spec: "  perCluster: [{path: b.**}]\n  skew: [{path: \"*.tag\"}]\n", eu: "a: {tag: 1.0.0}\nb: {tag: 2.0.0}\n", us: "a: {tag: 1.0.0}\n", ap: "a: {tag: 1.0.0}\n"},
		{name: "a part that some have, spelled out", spec: "  perCluster: [{path: b.**}]\n  skew: [{path: b.tag}]\n", eu: "b: {tag: 2.0.0}\n", us: "", ap: "",
			want: []string{`skew b.tag: expected at most 2 neighbouring versions (minor), found nothing in ap, us, where a version is expected`}},
		{name: "all without a version", spec: "  skew: [{path: \"*.tag\"}]\n", eu: "a: {tag: 1.0.0}\nb: {tag: ''}\n", us: "a: {tag: 1.0.0}\nb: {tag: null}\n", ap: "a: {tag: 1.0.0}\n"},

		{name: "skew of nothing", spec: skew(""), eu: "a: 1\n", us: "a: 1\n", ap: "a: 1\n",
			want: []string{`skew image.tag: expected a single value there, found that no cluster sets it`}},

		{name: "reference", spec: "  reference: us\n", eu: "a: 1\n", us: "a: 2\n", ap: "a: 1\n",
			want: []string{`identical a: expected the value of the reference cluster us in all 3 clusters, found 2 in us, but 1 in ap, eu`}},
		{name: "reference without it", spec: "  reference: us\n", eu: "a: 1\n", us: "", ap: "a: 1\n",
			want: []string{`identical a: expected the value of the reference cluster us in all 3 clusters, found not set in us, but 1 in ap, eu`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := fleet(tt.spec, "", tt.eu, tt.us, tt.ap)
			found, err := validate(t, fsys)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == nil {
				tt.want = []string{}
			}
			if diff := cmp.Diff(tt.want, brief(found)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, f := range found {
				if f.Fix == "" || len(f.Holdings) == 0 || len(f.Holdings[0].Places) == 0 || f.Holdings[0].Places[0].Position.File == "" {
					t.Errorf("not whole: %+v", f)
				}
			}
		})
	}
}

func TestReferenceMustBeACluster(t *testing.T) {
	_, err := gate.Load(fleet("  reference: xx\n", "", "", "", ""), "syncgate.yaml")
	if err == nil || !strings.Contains(err.Error(), "spec.reference") || !strings.Contains(err.Error(), "eu, us, ap") {
		t.Errorf("error %v", err)
	}
	_, err = gate.Load(fleet("  skew:\n  - {path: a, apart: far, oldest: new}\n", "", "", "", ""), "syncgate.yaml")
	if err == nil || !strings.Contains(err.Error(), "spec.skew[0].apart") || !strings.Contains(err.Error(), "spec.skew[0].oldest") {
		t.Errorf("error %v", err)
	}
}
