package policies_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
)

// places are the findings as "rule path clusters: what", without the values.
func placesOf(found []finding.Finding) []string {
	out := []string{}
	for _, f := range found {
		clusters := ""
		for _, p := range f.Holdings[0].Places {
			clusters += " " + p.Cluster
		}
		out = append(out, f.Rule+" "+f.Path+clusters)
	}
	return out
}

func TestForbidden(t *testing.T) {
	forbid := func(what, more string) string {
		return "  perCluster: [{path: \"**\"}]\n  listKeys: [{path: env, key: name}]\n  forbidden: [{what: " + what + more + "}]\n"
	}
	// Made here, so that no scanner of this repository takes it for one.
	digest := "sha256:" + strings.Repeat("0a", 32)
	token := "glpat-" + strings.Repeat("aB3", 7)[:20]
	tests := []struct {
		name, spec, eu, us, ap string
		want                   []string
	}{
		{name: "nothing", spec: forbid("secrets", ""), eu: "a: x\nb: {existingSecret: db, tokenTTL: 5}\n"},
		{name: "a token", spec: forbid("secrets", ""), eu: "a: " + token + "\n", us: "a: " + token + "\n", want: []string{"forbidden/secrets a eu us"}},
		{name: "a private key in a text", spec: forbid("secrets", ""), eu: "files: {a: \"x\\n-----BEGIN RSA PRIVATE KEY-----\\nMII\"}\n", want: []string{"forbidden/secrets files.a eu"}},
		{name: "an address with a password", spec: forbid("secrets", ""), eu: "url: postgres://u:hunter2@h/db\n", want: []string{"forbidden/secrets url eu"}},
		{name: "under a key that names a secret", spec: forbid("secrets", ""), eu: "db: {password: hunter2}\n", us: "db: {password: ''}\n", want: []string{"forbidden/secrets db.password eu"}},
		{name: "by the name of an item", spec: forbid("secrets", ""), eu: "env: [{name: DB_PASSWORD, value: hunter2}]\n", want: []string{"forbidden/secrets env[name=DB_PASSWORD].value eu"}},
		{name: "by the key of an item", spec: forbid("secrets", ""), eu: "vars: [{key: DB_PASSWORD, value: hunter2}, {key: LOG_LEVEL, value: debug}]\n", want: []string{"forbidden/secrets vars[0].value eu"}},
		{name: "by the variable of an item", spec: forbid("secrets", ""), eu: "vars: [{envName: DB_PASSWORD, value: hunter2}, {key: hunter2}]\n",
			want: []string{"forbidden/secrets vars[0].value eu", "forbidden/secrets vars[1].key eu"}},
		{name: "the name of a Secret", spec: forbid("secrets", ""), eu: "tlsSecret: chat-eu-tls\ndatabase: {external: {secret: mattermost-db}}\nsecret: {name: x}\n"},
		{name: "a secret that looks like a name", spec: forbid("secrets", ""), eu: "oidc: {clientSecret: hunter2}\n", us: "secret: Hunter2!hunter2\n",
			want: []string{"forbidden/secrets oidc.clientSecret eu", "forbidden/secrets secret us"}},
		{name: "encrypted, or elsewhere", spec: forbid("secrets", ""), eu: "password: 'ENC[AES256_GCM,data:x]'\napiKey: ${API_KEY}\ntoken: vault:secret/x\n"},
		{name: "a variable", spec: forbid("secrets", ""), eu: "a: {password: '$__file{/etc/secrets/pw}'}\nb: {password: '$__env{PG_PW}'}\nc: {password: $PG_PASSWORD}\nd: {password: $(USER)}\n"},
		{name: "no variable, or more than one", spec: forbid("secrets", ""), eu: "a: {password: $hunter2}\nb: {password: '$PG_PASSWORD hunter2'}\nc: {password: '!hunter2'}\nd: {password: '$HUNTER2'}\n",
			want: []string{"forbidden/secrets a.password eu", "forbidden/secrets b.password eu", "forbidden/secrets c.password eu", "forbidden/secrets d.password eu"}},
		{name: "about tokens", spec: forbid("secrets", ""), eu: "tokenAudiences: [vault]\nmaxTokens: 4096\nmaxToken: hunter2\n", want: []string{"forbidden/secrets maxToken eu"}},
		{name: "but there", spec: forbid("secrets", ", except: [db]"), eu: "db: {password: hunter2}\nsmtp: {password: hunter2}\n", want: []string{"forbidden/secrets smtp.password eu"}},
		{name: "only there", spec: forbid("secrets", ", paths: [smtp.**]"), eu: "db: {password: hunter2}\nsmtp: {password: hunter2}\n", want: []string{"forbidden/secrets smtp.password eu"}},

		{name: "latest", spec: forbid("latest", ""), eu: "image: {repository: a/b, tag: latest}\n", us: "image: {repository: a/b, tag: '1'}\n", want: []string{"forbidden/latest image.tag eu"}},
		{name: "latest by itself", spec: forbid("latest", ""), eu: "image: {tag: latest}\n", want: []string{"forbidden/latest image.tag eu"}},
		{name: "latest with a digest stays", spec: forbid("latest", ""), eu: "image: {repository: a/b, tag: latest@" + digest + "}\n"},
		{name: "latest with a part of a digest", spec: forbid("latest", ""), eu: "image: {repository: a/b, tag: latest@sha256:ab}\n", want: []string{"forbidden/latest image.tag eu"}},
		{name: "no tag in a reference", spec: forbid("latest", ""), eu: "image: registry:5000/a/b\n", want: []string{"forbidden/latest image eu"}},
		{name: "no tag is the chart's", spec: forbid("latest", ""), eu: "image: {repository: a/b}\n"},
		{name: "a custom resource", spec: forbid("latest", ""), eu: "spec: {image: a/b, version: latest}\n", us: "spec: {image: a/b, version: 1.2.3}\n", want: []string{"forbidden/latest spec.version eu"}},
		{name: "a key that ends in Image", spec: forbid("latest", ""), eu: "initContainerImage: busybox:latest\n", want: []string{"forbidden/latest initContainerImage eu"}},

		{name: "a tag alone", spec: forbid("latest", ""), eu: "imageTag: latest\nwebImageTag: latest\n", us: "imageTag: '1'\nimage: {}\n",
			want: []string{"forbidden/latest imageTag eu", "forbidden/latest webImageTag eu"}},
		{name: "a repository and a tag", spec: forbid("latest", ""), eu: "imageRepository: a/b\nimageTag: latest\n", us: "imageRepository: a/b\nimageTag: ''\n", ap: "imageRepository: a/b\nimageTag: latest\nimageDigest: " + digest + "\n",
			want: []string{"forbidden/latest imageTag eu"}},
		{name: "a list of images", spec: forbid("latest", ""), eu: "images: [a/b:latest, 'registry:5000/c', 'd:1', a/logo.png, https://x/y]\n", want: []string{"forbidden/latest images[0] eu", "forbidden/latest images[1] eu"}},
		{name: "lists of patterns", spec: forbid("latest", ""), eu: "exemptImages: [openpolicyagent/*, '*']\nexcludeImages: [ghcr.io/acme/*]\n", us: "allowedImages: ['registry.example.com/*']\nimages: ['registry.example.com/*:v1', a/b]\n",
			want: []string{"forbidden/latest images[1] us"}},
		{name: "lists of words", spec: forbid("latest", ""), eu: "images: [hero, banner]\n", us: "images: [hero, 'c:latest']\n", want: []string{"forbidden/latest images[1] us"}},
		{name: "patterns are not unpinned", spec: forbid("unpinned", ""), eu: "images: ['a/*', hero]\n", us: "images: {all: 'a/*:v1', app: 'a/b:1'}\n", want: []string{"forbidden/unpinned images.app us"}},
		{name: "a map of images", spec: forbid("latest", ""), eu: "images: {app: a/b:latest, init: 'c:1', pullPolicy: Always, registry: docker.io, digest: " + digest + "}\n", want: []string{"forbidden/latest images.app eu"}},

		{name: "pinned", spec: forbid("unpinned", ""), eu: "image: {repository: a/b, tag: 1.2.3@" + digest + "}\n", us: "image: {repository: a/b, tag: 1.2.3, digest: " + digest + "}\n", ap: "image: a/b@" + digest + "\n"},
		{name: "a part of a digest", spec: forbid("unpinned", ""), eu: "image: {repository: a/b, tag: 1.2.3@sha256:ab}\n", us: "image: a/b@" + digest + "0\n", ap: "image: a/b@md5:" + digest[len("sha256:"):] + "\n",
			want: []string{"forbidden/unpinned image ap", "forbidden/unpinned image us", "forbidden/unpinned image.tag eu"}},
		{name: "parts, lists and maps without digests", spec: forbid("unpinned", ""), eu: "imageRepository: a/b\nimages: [a/b:1]\n", us: "imageTag: '1'\nimages: {app: 'a/b:1', init: 'a/b:1@" + digest + "', pullPolicy: Always}\n",
			want: []string{"forbidden/unpinned imageRepository eu", "forbidden/unpinned imageTag us", "forbidden/unpinned images.app us", "forbidden/unpinned images[0] eu"}},
		{name: "unpinned", spec: forbid("unpinned", ""), eu: "image: {repository: a/b, tag: 1.2.3}\n", us: "image: a/b:1.2.3\n", ap: "spec: {image: a/b, version: " + digest + "}\n",
			want: []string{"forbidden/unpinned image us", "forbidden/unpinned image.tag eu"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found, err := validate(t, fleet(tt.spec, "", tt.eu, tt.us, tt.ap))
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == nil {
				tt.want = []string{}
			}
			if diff := cmp.Diff(tt.want, placesOf(found)); diff != "" {
				t.Errorf("(-want +got):\n%s\n%s", diff, strings.Join(brief(found), "\n"))
			}
			text := fmt.Sprintf("%+v", found)
			if strings.Contains(text, "hunter2") || strings.Contains(text, token) {
				t.Errorf("a secret is shown: %s", text)
			}
		})
	}
}

func TestMatches(t *testing.T) {
	values := func(gateSpec, eu, us string) map[string]string {
		return map[string]string{"spec": gateSpec, "eu": eu, "us": us}
	}
	const chart = `-- chart/Chart.yaml --
apiVersion: v2
name: app
version: 1.0.0
dependencies:
- {name: sub, version: 1.0.0, condition: sub.enabled}
-- chart/values.yaml --
replicas: 2
sub: {enabled: true, size: 1}
-- chart/values.schema.json --
{"type": "object", "properties": {"replicas": {"type": "integer", "minimum": 1}, "host": {"type": "string"}, "hosts": {"items": {"type": "string"}}}}
-- chart/charts/sub/Chart.yaml --
apiVersion: v2
name: sub
version: 1.0.0
-- chart/charts/sub/values.schema.json --
{"properties": {"size": {"maximum": 5}}}
-- strict.json --
{"additionalProperties": false, "properties": {"host": {}}}
-- outside.json --
{"$ref": "https://example.com/schema.json"}
`
	const helm = "  source: {helm: {chart: chart}}\n"
	tests := []struct {
		name string
		in   map[string]string
		want []string
		err  string
	}{
		{name: "they meet it", in: values(helm, "replicas: 3\n", "")},
		{name: "the chart's own", in: values(helm, "replicas: many\n", "replicas: many\n"), want: []string{"matches replicas eu us: expected integer, found string, in eu, us"}},
		{name: "in a list", in: values(helm, "hosts: [a, 1]\n", ""), want: []string{"matches hosts[1] eu: expected string, found number, in eu"}},
		{name: "a subchart's", in: values(helm, "sub: {size: 7}\n", ""), want: []string{"matches sub.size eu: expected at most 5, in eu"}},
		{name: "a subchart that is off", in: values(helm, "sub: {enabled: false, size: 7}\n", "")},
		{name: "without a chart to render", in: values("", "replicas: many\n", "")},
		{name: "a file", in: values("  matches: [{schema: strict.json, path: ingress}]\n", "ingress: {host: a, hots: b}\n", "ingress: {host: a}\n"),
			want: []string{"matches ingress eu: expected no hots in it, in eu"}},
		{name: "a schema that refers elsewhere", in: values("  matches: [{schema: outside.json}]\n", "", ""), err: "not fetched"},
		{name: "a schema that is not there", in: values("  matches: [{schema: nosuch.json}]\n", "", ""), err: "nosuch.json: no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := fleet("  perCluster: [{path: \"**\"}]\n"+tt.in["spec"], "", tt.in["eu"], tt.in["us"], "")
			for name, f := range tree(chart) {
				fsys[name] = f
			}
			found, err := validate(t, fsys)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := placesOf(found)
			for i, f := range found {
				got[i] += ": " + f.Message
				if f.Holdings[0].Places[0].Position.Line == 0 {
					t.Errorf("no place: %+v", f)
				}
			}
			if tt.want == nil {
				tt.want = []string{}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnwantedFieldsHaveTheirLine(t *testing.T) {
	fsys := fleet("  perCluster: [{path: \"**\"}]\n  matches: [{schema: strict.json, path: ingress}]\n", "", "ingress:\n  host: a\n  hots: b\n", "", "")
	for name, f := range tree("-- strict.json --\n{\"additionalProperties\": false, \"properties\": {\"host\": {}}}\n") {
		fsys[name] = f
	}
	found, err := validate(t, fsys)
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	if at := found[0].Holdings[0].Places[0].Position; at.Line != 3 {
		t.Errorf("at %s, want line 3", at)
	}
}

func TestInspectionsAreChecked(t *testing.T) {
	for spec, want := range map[string]string{
		"  waivers: [{rule: limits, reason: y, until: '2026-01-01'}]\n":  "cannot be waived",
		"  waivers: [{rule: waivers, reason: y, until: '2026-01-01'}]\n": "cannot be waived",
		"  forbidden: [{what: everything}]\n":                            "spec.forbidden[0].what",
		"  forbidden: [{what: latest, except: [\"a[\"]}]\n":              "spec.forbidden[0].except[0]",
		"  matches: [{schema: ../x.json}]\n":                             "spec.matches[0].schema",
		"  matches: [{schema: x.json, path: \"a.*\"}]\n":                 "spec.matches[0].path",
		"  matches: [{schema: chart, path: a}]\n":                        "spec.matches[0].path",
		"  waivers: [{rule: x, reason: y, until: tomorrow}]\n":           "spec.waivers[0].until",
		"  waivers: [{rule: x, reason: ' ', until: '2026-01-01'}]\n":     "spec.waivers[0].reason",
	} {
		if _, err := gate.Load(fleet(spec, "", "", "", ""), "syncgate.yaml"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", spec, err, want)
		}
	}
}

func TestWaivers(t *testing.T) {
	const drift = "image: {tag: '2'}\n"
	waiver := func(until, more string) string {
		return "  waivers: [{rule: identical, path: image.tag, reason: being moved, until: \"" + until + "\"" + more + "}]\n"
	}
	tests := []struct {
		name, spec string
		day        string // "" when it is not known
		want       []string
		waived     int
		skipped    int
	}{
		{name: "none", want: []string{"identical image.tag"}, day: "2026-11-26"},
		{name: "in force", spec: waiver("2026-11-26", ""), day: "2026-11-26", want: []string{}, waived: 1},
		{name: "over", spec: waiver("2026-11-25", ""), day: "2026-11-26", want: []string{"identical image.tag", "waivers "}},
		{name: "over, and the day is not known", spec: waiver("2026-11-25", ""), want: []string{}, waived: 1},
		{name: "by what it says", spec: waiver("2026-12-31", ", says: 'in us'"), day: "2026-11-26", want: []string{}, waived: 1},
		{name: "it says something else", spec: waiver("2026-12-31", ", says: 'in xx'"), day: "2026-11-26", want: []string{"identical image.tag"}, skipped: 1},
		{name: "of another finding", spec: "  waivers: [{rule: identical, path: image, reason: x, until: \"2026-12-31\"}]\n", day: "2026-11-26",
			want: []string{"identical image.tag"}, skipped: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := fleet(tt.spec, "", "image: {tag: '1'}\n", drift, "image: {tag: '1'}\n")
			g, err := gate.Load(fsys, "syncgate.yaml")
			if err != nil {
				t.Fatal(err)
			}
			opts := policies.Options{}
			if tt.day != "" {
				if opts.Now, err = time.Parse(time.DateOnly, tt.day); err != nil {
					t.Fatal(err)
				}
				opts.Now = opts.Now.Add(23*time.Hour + 59*time.Minute)
			}
			r, err := policies.Evaluate(t.Context(), fsys, g, opts)
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, f := range r.Findings {
				got = append(got, f.Rule+" "+f.Path)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(r.Waived) != tt.waived || len(r.Skipped) != tt.skipped {
				t.Errorf("waived %+v, skipped %+v", r.Waived, r.Skipped)
			}
		})
	}
}

// TestNoOldSecretLeaves shows that a rule cannot tell what was a secret before.
func TestNoOldSecretLeaves(t *testing.T) {
	fsys := fleet("  rules: [{name: leaks, expr: \"'was ' + old.db.password + ' is ' + new.db.password\"}]\n", "", "db: {password: brandnew}\n", "db: {password: brandnew}\n", "db: {password: brandnew}\n")
	base := fleet("", "", "db: {password: hunter2}\n", "db: {password: hunter2}\n", "db: {password: hunter2}\n")
	r := evaluate(t, fsys, base, 1)
	if text := fmt.Sprintf("%+v", r); len(r.Findings) != 1 || strings.Contains(text, "hunter2") || strings.Contains(text, "brandnew") {
		t.Errorf("%s", text)
	}
}
