package policies_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// besideGate is a Gate of eu and us that compares one thing beside the values.
const besideGate = `apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: app}
spec:
  namespace: shop
  clusters: [{name: eu}, {name: us}]
`

// besideFindings are the findings about two files of one name, or the error.
func besideFindings(t *testing.T, spec, file, eu, us string) []string {
	t.Helper()
	fsys := fstest.MapFS{
		"syncgate.yaml": {Data: []byte(besideGate + spec)},
		"eu/" + file:    {Data: []byte(eu)}, "us/" + file: {Data: []byte(us)},
	}
	found, err := validate(t, fsys)
	if err != nil {
		return []string{"error: " + err.Error()}
	}
	return brief(found)
}

// expect compares what is said with what it has to begin with.
func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	cut := make([]string, len(got))
	for i, g := range got {
		cut[i] = g
		if i < len(want) && strings.HasPrefix(g, want[i]) {
			cut[i] = want[i]
		}
	}
	if len(want) == 0 {
		want = []string{}
	}
	if d := cmp.Diff(want, cut); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

const (
	sealedSecret = `apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: db}
spec: {encryptedData: {user: AgA}}
`
	externalSecret = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: db}\n"
	plainSecret    = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\n"
	encrypted      = "ENC[AES256_GCM,data:aGk=,iv:AAAA,tag:AAAA,type:str]"
	sopsMeta       = "sops:\n  mac: " + encrypted + "\n  version: 3.9.0\n  lastmodified: '2026-01-02T00:00:00Z'\n  age: [{recipient: age1, enc: x}]\n"
	inPlainText    = "forbidden/secrets $secrets.db: expected Secret db to be sealed, external or encrypted by SOPS, found in plain text user, in eu"
	moreKeys       = "identical $secrets.db.keys[name=url]: expected the same value in all 2 clusters"
	otherKeys      = "identical $secrets.db.keys[name=user]: expected the same value in all 2 clusters"
)

func TestSecretsBeside(t *testing.T) {
	elsewhere := strings.Replace(sealedSecret, "name: db", "name: db, namespace: elsewhere", 1)
	tests := []struct {
		name, spec, eu string
		want           []string
	}{
		{name: "the same", eu: sealedSecret},
		{name: "external", eu: externalSecret + "spec: {data: [{secretKey: user}]}\n"},
		{name: "SOPS", eu: "user: " + encrypted + "\n" + sopsMeta},
		{name: "SOPS in a Secret", eu: plainSecret + "stringData: {user: \"" + encrypted + "\"}\n" + sopsMeta + "  encrypted_regex: ^(data|stringData)$\n"},
		{name: "plain", eu: plainSecret + "stringData: {user: hunter2}\n", want: []string{inPlainText}},
		{name: "plain in base64", eu: plainSecret + "data: {user: aHVudGVyMg==}\n", want: []string{inPlainText}},
		{name: "plain, twice the same key", eu: plainSecret + "data: {user: eA==}\nstringData: {user: x}\n", want: []string{inPlainText}},
		{name: "plain without a value", eu: plainSecret + "stringData: {user: \"\"}\n"},
		{name: "plain, excepted", spec: "  forbidden: [{what: secrets, except: [$secrets.db]}]\n", eu: plainSecret + "stringData: {user: hunter2}\n"},
		{name: "plain, not where secrets are forbidden", spec: "  forbidden: [{what: secrets, paths: [smtp]}]\n",
			eu: plainSecret + "stringData: {user: hunter2}\n", want: []string{inPlainText}},
		{name: "a key sops", eu: "user: hunter2\nsops: {}\n", want: []string{inPlainText}},
		{name: "metadata of SOPS, nothing encrypted", eu: "user: hunter2\n" + sopsMeta, want: []string{inPlainText}},
		{name: "only looks encrypted", eu: "user: ENC[hunter2]\n" + sopsMeta, want: []string{inPlainText}},
		{name: "encrypted, without metadata", eu: "user: " + encrypted + "\nsops: {mac: x}\n", want: []string{inPlainText}},
		{name: "SOPS was told to encrypt nothing", eu: plainSecret + "stringData: {user: hunter2}\n" + sopsMeta + "  encrypted_regex: ^nothing$\n",
			want: []string{inPlainText}},
		{name: "SOPS left the values", eu: plainSecret + "stringData: {user: hunter2}\n" + sopsMeta + "  encrypted_regex: ^(data|stringData)$\n",
			want: []string{inPlainText}},
		{name: "not an object", eu: plainSecret + "stringData: x\n",
			want: []string{"error: read values of cluster eu: eu/s.yaml:4:13: Secret db: stringData: expected a map, found a string"}},
		{name: "elsewhere", eu: elsewhere, want: []string{
			"identical $secrets.db.found: ", "identical $secrets.db.keys: ",
			"required $secrets.db.found: expected Secret db among the files ${cluster}/s.yaml, found one in namespace elsewhere, which is not the one that is asked for (namespace of spec.secrets, else the Gate's there), in eu"}},
		{name: "elsewhere too", eu: elsewhere + "---\n" + sealedSecret},
		{name: "none", eu: "kind: x\n", want: []string{
			"identical $secrets.db: ", "required $secrets.db.found: expected Secret db among the files ${cluster}/s.yaml, found none, in eu"}},
		{name: "twice in a List", eu: "apiVersion: v1\nkind: List\nitems:\n" + strings.Repeat("- {apiVersion: v1, kind: Secret, metadata: {name: db}}\n", 2),
			want: []string{"error: read values of cluster eu: eu/s.yaml:5:34: secret db is there twice, first in eu/s.yaml:4:34"}},
		{name: "sealed with a template", eu: sealedSecret[:len(sealedSecret)-2] + ", template: {data: {url: x}}}\n", want: []string{moreKeys}},
		{name: "template instead of what is fetched", eu: externalSecret + "spec: {target: {template: {data: {url: x}}}, data: [{secretKey: user}]}\n",
			want: []string{moreKeys, otherKeys}},
		{name: "template of the same key", eu: externalSecret + "spec: {target: {template: {data: {user: x}}}, data: [{secretKey: raw}]}\n"},
		{name: "template merged", eu: externalSecret + "spec: {target: {template: {mergePolicy: Merge, data: {url: x}}}, data: [{secretKey: user}]}\n",
			want: []string{moreKeys}},
		{name: "template without data", eu: externalSecret + "spec: {target: {template: {type: Opaque}}, data: [{secretKey: user}]}\n"},
		{name: "template from elsewhere", eu: externalSecret + "spec: {target: {template: {templateFrom: [{configMap: {name: c}}]}}, data: [{secretKey: user}]}\n",
			want: []string{otherKeys, "identical $secrets.db.templateFrom: "}},
		{name: "external, makes none", eu: externalSecret + "spec: {target: {creationPolicy: None}, data: [{secretKey: user}]}\n",
			want: []string{"identical $secrets.db: ", "required $secrets.db.found: "}},
		{name: "external, adds to another", eu: externalSecret + "spec: {target: {creationPolicy: Merge}, data: [{secretKey: user}]}\n",
			want: []string{"identical $secrets.db.creationPolicy: "}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := "  secrets: [{name: db, path: \"${cluster}/s.yaml\"}]\n" + test.spec
			expect(t, besideFindings(t, spec, "s.yaml", test.eu, sealedSecret), test.want...)
		})
	}
}

// TestSecretNamespace: a HelmRelease takes its Secrets from its own namespace, which
// need not be that of the release.
func TestSecretNamespace(t *testing.T) {
	in := func(namespace string) string {
		return strings.Replace(sealedSecret, "name: db", "name: db, namespace: "+namespace, 1)
	}
	spec := "  secrets: [{name: db, path: \"${cluster}/s.yaml\", namespace: flux-system}]\n"
	expect(t, besideFindings(t, spec, "s.yaml", in("flux-system"), in("flux-system")))
	expect(t, besideFindings(t, spec, "s.yaml", in("shop"), in("flux-system")),
		"identical $secrets.db.found: ", "identical $secrets.db.keys: ", "required $secrets.db.found: ")
}

func TestFilesBeside(t *testing.T) {
	const at = "identical $files.x.a: expected the same value in all 2 clusters, found no majority: "
	tests := []struct {
		name, file, eu, us string
		want               []string
	}{
		{name: "the same number", eu: "a: 1 # c\n", us: "a:    1\n"},
		{name: "an octal number", eu: "a: 010\n", us: "a: 8\n", want: []string{at + "010 in eu; 8 in us"}},
		{name: "written alike", eu: "a: 010\nb: yes\nc: !vault x\n", us: "c: !vault 'x'\nb: yes\na: 010\n"},
		{name: "text like it", eu: "a: 010\n", us: "a: '010'\n", want: []string{at + `"010" in us; 010 in eu`}},
		{name: "zeros behind the point", eu: "a: 1.50\n", us: "a: 1.5\n", want: []string{at + "1.5 in us; 1.50 in eu"}},
		{name: "too large for a float", eu: "a: 9007199254740993\n", us: "a: 9007199254740992\n",
			want: []string{at + "9007199254740992 in us; 9007199254740993 in eu"}},
		{name: "a word that is a boolean to some", eu: "a: yes\n", us: "a: true\n", want: []string{at + "true in us; yes in eu"}},
		{name: "a boolean to all", eu: "a: True\n", us: "a: true\n"},
		{name: "nothing to all", eu: "a: ~\n", us: "a:\n"},
		{name: "a date to some", eu: "a: 2026-01-02\n", us: "a: \"2026-01-02\"\n", want: []string{at}},
		{name: "an octal number of YAML 1.2", eu: "a: 0o17\n", us: "a: '0o17'\n", want: []string{at}},
		{name: "a number of base 60", eu: "a: 12:30\n", us: "a: '12:30'\n", want: []string{at}},
		{name: "texts to all", eu: "a: [x, 1.2.3, 10Gi, e, '-', !!str 1]\n", us: "a: ['x', \"1.2.3\", '10Gi', 'e', \"-\", '1']\n"},
		{name: "a tag", eu: "a: !vault x\n", us: "a: x\n", want: []string{at + `!vault x in eu; "x" in us`}},
		{name: "a text that looks tagged", eu: "a: !vault x\n", us: "a: '!vault x'\n", want: []string{at}},
		{name: "another tag", eu: "a: !vault x\n", us: "a: !env x\n", want: []string{at}},
		{name: "a known tag", eu: "a: !!int '8'\n", us: "a: 8\n", want: []string{at}},
		{name: "a tag on a list", eu: "a: !reference [x]\n", us: "a: [x]\n", want: []string{at + `["x"] in us; {"!reference":["x"]} in eu`}},
		{name: "a tag under a key that names a secret", eu: "password: !vault x\n", us: "password: '!vault x'\n", want: []string{"identical $files.x.password: "}},
		{name: "a key like a tag", eu: "'!x': 1\n", us: "a: 1\n",
			want: []string{`error: read values of cluster eu: eu/x.yaml:1:1: a key begins with "!", which cannot be told from a tag`}},
		{name: "keys by their text", eu: "{8: x}\n", us: "{010: x}\n", want: []string{"identical $files.x.010: ", "identical $files.x.8: "}},
		{name: "merged after", eu: "b: &b {c: 1}\na: {c: 2, <<: *b}\n", us: "b: {c: 1}\na: {c: 1}\n",
			want: []string{`error: read values of cluster eu: eu/x.yaml:2:15: a: key "c" stands before "<<"`}},
		{name: "merged first", eu: "b: &b {c: 1}\na: {<<: *b, c: 2}\n", us: "b: {c: 1}\na: {c: 2}\n"},
		{name: "a list", eu: "- x\n- y\n", us: "[x, z]\n", want: []string{"identical $files.x[1]: "}},
		{name: "one text", eu: "just text\n", us: "just text\n"},
		{name: "several documents", eu: "a: 1\n---\n- 1\n", us: "a: 1\n---\n- 2\n", want: []string{"identical $files.x[1][0]: "}},
		{name: "several objects", eu: plainSecret + "---\n" + sealedSecret, us: sealedSecret + "---\n" + plainSecret},
		{name: "several objects of one name", eu: plainSecret + "---\n" + plainSecret, us: plainSecret + "---\n" + plainSecret},
		{name: "place in a later document", eu: "a: 1\n---\nb: [\n", us: "a: 1\n", want: []string{"error: read values of cluster eu: eu/x.yaml:4"}},
		{name: "nothing", eu: "# nothing\n", us: "---\n"},
		{name: "lines", file: "x.env", eu: "A=1\nexport B = 1\n", us: "B=1\nA=1\n"},
		{name: "lines of no shell", file: "x.ini", eu: "export B=1\n", us: "B=1\n", want: []string{"identical $files.x.B: ", "identical $files.x.export B: "}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := test.file
			if file == "" {
				file = "x.yaml"
			}
			expect(t, besideFindings(t, "  files: [{name: x, path: \"${cluster}/"+file+"\"}]\n", file, test.eu, test.us), test.want...)
		})
	}
}
