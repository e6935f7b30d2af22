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
			"required $secrets.db.found: expected Secret db among the files ${cluster}/s.yaml, found one in namespace elsewhere, which is not that of the Gate there, in eu"}},
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
