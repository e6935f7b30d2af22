package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/hooks/backup"
	"github.com/syncgate/syncgate/hooks/clusters"
	"github.com/syncgate/syncgate/hooks/config"
	"github.com/syncgate/syncgate/policies/gate"
)

func full(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEveryField(t *testing.T) {
	got, err := config.Decode(full(t), "/etc/syncgate/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	subjects := []string{"chat/syncgate-hook"}
	want := &config.Config{
		Listen:    "127.0.0.1:9443",
		TLS:       &config.TLS{CertFile: "/etc/syncgate/tls/tls.crt", KeyFile: "/etc/tls.key"},
		PublicURL: "https://gate.example/",
		Page:      config.Page{Listen: "127.0.0.1:8081"},
		Database:  config.Database{Path: "/etc/syncgate/data/gate.db", Retention: gate.Duration(720 * time.Hour)},
		CacheDir:  "/var/cache/syncgate",
		Repositories: []config.Repository{
			{Name: "fleet", URL: "https://github.com/acme/fleet.git", Aliases: []string{"https://mirror.example/fleet"}, Branch: "main",
				TokenFile: "/etc/syncgate/token", Forge: config.Forge{GitHub: &config.GitHub{Owner: "acme", Repo: "fleet", TokenFile: "/etc/syncgate/token"}}},
			{Name: "ghe", URL: "git@ghe.example:team/config.git", Branch: "live", Username: "bot", CAFile: "/etc/syncgate/ca.pem",
				SSH:   &config.SSH{KeyFile: "/etc/syncgate/id", KnownHostsFile: "/etc/syncgate/known"},
				Forge: config.Forge{GitHub: &config.GitHub{APIURL: "https://ghe.example/api/v3/", Owner: "team", Repo: "other", TokenFile: "/etc/syncgate/ghe"}}},
			{Name: "app", URL: "https://github.com/acme/app.git", Branch: "main",
				Forge: config.Forge{GitHub: &config.GitHub{Owner: "acme", Repo: "app", App: &config.GitHubApp{ID: 7, Installation: 42, KeyFile: "/etc/syncgate/app.pem"}}}},
			{Name: "plain", URL: "/srv/git/plain.git", Branch: "main", Forge: config.Forge{Plain: &config.Plain{Dir: "/etc/syncgate/pulls"}}},
		},
		Webhooks: config.Webhooks{GitHub: &config.GitHubWebhooks{SecretFile: "/etc/syncgate/webhook"}},
		Clusters: []clusters.Options{
			{Name: "eu", Kubeconfig: &clusters.KubeconfigOptions{Path: "/etc/syncgate/kube/config", Context: "eu"}, HookSubjects: subjects},
			{Name: "home", InCluster: true, ArgoCD: &clusters.ArgoCDOptions{Namespace: "argo"}, AllowExec: true, HookSubjects: subjects},
		},
		Stores: []backup.StoreOptions{
			{Name: "dumps", Folder: &backup.FolderOptions{Path: "/etc/syncgate/dumps"}, MaxObjects: 10, MaxRead: 1000},
			{Name: "offsite", S3: &backup.S3Options{Endpoint: "https://s3.example", Bucket: "b", Region: "r", PathStyle: "path", IAM: true,
				CAFile: "/etc/syncgate/s3.pem", AccessKeyFile: "/etc/syncgate/ak", SecretKeyFile: "/etc/syncgate/sk", SessionTokenFile: "/etc/syncgate/st"}},
		},
		Minimums: config.Minimums{
			PreSync: []gate.Check{
				{Name: "nodes", Nodes: &gate.NodesCheck{MinReady: 3}},
				{Name: "backup", Backup: &gate.BackupCheck{MaxAge: gate.Duration(24 * time.Hour), Objects: &gate.ObjectBackup{Store: "dumps"}}},
			},
			PostSync: []gate.Check{{Name: "site", HTTP: &gate.HTTPCheck{URL: "https://chat.example/ping", Headers: map[string]string{"Accept": "text/plain"}, Timeout: gate.Duration(5 * time.Second)}}},
			Revert:   []string{"nodes"},
			Guards: []config.MinimumGuard{
				{Repository: "fleet", Gate: "chat", Clusters: []string{"eu"}, Namespace: "chat", Guard: gate.Guard{
					Use: "mattermost/server", APIVersion: "installation.mattermost.com/v1beta1", Kind: "Mattermost", Name: "chat", Fields: []gate.GuardField{
						{Path: "spec.image", Value: `${values.mattermostCR.?spec.?image.orValue("mattermost/mattermost-enterprise-edition")}`, Unset: "mattermost/mattermost-enterprise-edition"},
						{Path: "spec.version", Value: "${values.mattermostCR.spec.version}"},
					}}},
				{Repository: "fleet", Gate: "chat", Namespace: "chat", Guard: gate.Guard{APIVersion: "apps/v1", Kind: "Deployment",
					Fields: []gate.GuardField{{Path: "spec.template.spec.containers[name=web].image", Value: "${values.image}", Unset: "none"}}}},
			},
		},
		Applications: []config.Applications{{Cluster: "eu", Namespace: "argo", Plugin: "gate"}},
		Admission: config.Admission{Clusters: []config.AdmissionCluster{
			{Name: "eu", ClientCAFile: "/etc/syncgate/eu-ca.pem", ClientNames: []string{"eu-apiserver"}},
			{Name: "us", TokenFile: "/etc/syncgate/us-token", TokenInPath: true},
		}},
		Checks: config.Checks{HTTPAllowHosts: []string{"127.0.0.1:80"}},
		Limits: config.Limits{Runs: 1, ChecksPerRun: 2, CheckTimeout: gate.Duration(time.Minute), MinInterval: gate.Duration(2 * time.Second),
			MaxDeadline: gate.Duration(3 * time.Hour), MaxOverride: gate.Duration(5 * time.Hour), MaxFreshFor: gate.Duration(2 * time.Hour), RevertTries: 4, Streams: 5, StreamsPerCaller: 6, RatePerCaller: 7, TokenReviews: 8},
		Log: config.Log{Level: "debug"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, path := range unset(reflect.ValueOf(*got), "") {
		// Exactly the other half of a choice is not set.
		switch path {
		case "insecure", "stores[0].s3", "stores[1].folder", "stores[1].maxObjects", "stores[1].maxRead":
		default:
			if !strings.Contains(path, "[") {
				t.Errorf("%s is not set by testdata/full.yaml", path)
			}
		}
	}
}

func unset(v reflect.Value, path string) (out []string) {
	if v.Kind() != reflect.Struct {
		return nil
	}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		at := strings.TrimPrefix(path+"."+name, ".")
		if v.Field(i).IsZero() {
			out = append(out, at)
			continue
		}
		out = append(out, unset(v.Field(i), at)...)
	}
	return out
}

// minimal is the least that is valid; tests add to it and replace in it.
const minimal = `insecure: true
database: {path: gate.db}
cacheDir: cache
repositories:
  - name: fleet
    url: https://git.example/acme/fleet
    forge: {plain: {dir: pulls}}
clusters:
  - name: eu
    inCluster: true
    hookSubjects: [chat/hook]
`

func TestDefaults(t *testing.T) {
	c, err := config.Decode([]byte(minimal), "config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != ":8443" || c.Log.Level != "info" || c.Repositories[0].Branch != "main" {
		t.Errorf("%+v", c)
	}
}

func TestMistakes(t *testing.T) {
	for _, tt := range []struct {
		name, old, new string
		want           []string
	}{
		{"unknown key", "insecure: true", "insecrue: true", []string{`c.yaml:1:1: unknown key "insecrue"; did you mean "insecure"?`}},
		{"unknown key deep down", "inCluster: true", "incluster: true", []string{`c.yaml:10:5: clusters[0]: unknown key "incluster"; did you mean "inCluster"?`}},
		{"doubled key", "cacheDir: cache", "cacheDir: cache\ncacheDir: other", []string{`c.yaml:4:1: key "cacheDir" is there twice, first on line 3`}},
		{"several at once", "cacheDir: cache", "cacheDir: [a]\nlisten: 1\nlog: {level: 2}", []string{"c.yaml:3:11: cacheDir: expected a string, found a list", "c.yaml:4:9: listen: expected a string, found \"1\"", "c.yaml:5:14: log.level"}},
		{"null", "cacheDir: cache", "cacheDir:", []string{"c.yaml:3:10: cacheDir: expected a value, found nothing"}},
		{"alias", "cacheDir: cache", "cacheDir: &a cache\nlisten: *a", []string{"c.yaml:3:11: cacheDir: expected no anchors", "c.yaml:4:9: listen: expected no anchors"}},
		{"duration", "database: {path: gate.db}", "database: {path: gate.db, retention: 90}", []string{"c.yaml:2:38: database.retention: expected a string, found \"90\""}},
		{"duration without unit", "database: {path: gate.db}", `database: {path: gate.db, retention: "90"}`, []string{`c.yaml:2:38: database.retention: read duration "90"`}},
		{"negative number", "cacheDir: cache", "cacheDir: cache\nlimits: {runs: -1}", []string{"c.yaml:4:16: limits.runs: expected a whole number that is not negative"}},
		{"no tls", "insecure: true", "listen: :1", []string{"c.yaml:1:1: tls: expected certFile and keyFile, found nothing"}},
		{"tls and insecure", "insecure: true", "insecure: true\ntls: {certFile: a, keyFile: b}", []string{"c.yaml:1:11: insecure: expected either tls or insecure, found both"}},
		{"half of tls", "insecure: true", "tls: {certFile: a}", []string{"c.yaml:1:6: tls.keyFile: expected a value, found none"}},
		{"listen", "insecure: true", "insecure: true\nlisten: localhost", []string{"c.yaml:2:9: listen: expected host:port"}},
		{"page", "insecure: true", "insecure: true\npage: {listen: localhost}", []string{"c.yaml:2:16: page.listen: expected host:port"}},
		{"public URL", "insecure: true", "insecure: true\npublicURL: gate.example", []string{"c.yaml:2:12: publicURL: expected https://host"}},
		{"no repositories", "  - name: fleet\n    url: https://git.example/acme/fleet\n    forge: {plain: {dir: pulls}}", " []", []string{"c.yaml:5:2: repositories: expected at least one"}},
		{"password in URL", "https://git", "https://u:hunter2@git", []string{"c.yaml:6:10: repositories[0].url: expected no password"}},
		{"no forge", "forge: {plain: {dir: pulls}}", "forge: {}", []string{"c.yaml:7:12: repositories[0].forge: expected exactly one"}},
		{"GitHub without token", "forge: {plain: {dir: pulls}}", "forge: {github: {}}", []string{"c.yaml:7:21: repositories[0].forge.github.tokenFile: expected a file"}},
		{"GitHub without owner", "https://git.example/acme/fleet\n    forge: {plain: {dir: pulls}}", "https://git.example/fleet\n    tokenFile: t\n    forge: {github: {}}", []string{"repositories[0].forge.github: expected owner and repo"}},
		{"GitHub App and token", "forge: {plain: {dir: pulls}}", "forge: {github: {tokenFile: t, app: {id: 1, keyFile: k}}}", []string{"repositories[0].forge.github: expected either tokenFile or app"}},
		{"half of a GitHub App", "forge: {plain: {dir: pulls}}", "forge: {github: {app: {}}}", []string{"repositories[0].forge.github.app.id: expected the App's ID", "repositories[0].forge.github.app.keyFile: expected a value"}},
		{"webhooks without a secret", "clusters:", "webhooks: {github: {}}\nclusters:", []string{"webhooks.github.secretFile: expected a value", "webhooks.github: expected a repository with forge.github"}},
		{"repository twice", "clusters:", "  - name: fleet\n    url: /x/y\n    forge: {plain: {dir: p}}\nclusters:", []string{`c.yaml:8:11: repositories[1].name: expected a name of its own, found "fleet" again`}},
		{"repository's name leaves", "name: fleet", "name: ../fleet", []string{"repositories[0].name: expected a name"}},
		{"no subjects", "    hookSubjects: [chat/hook]\n", "", []string{"c.yaml:9:5: clusters[0]: hookSubjects: expected"}},
		{"store of no kind", "clusters:", "stores: [{name: a}]\nclusters:", []string{"c.yaml:8:10: stores[0]: expected exactly one of folder and s3"}},
		{"secret in the file", "clusters:", "stores: [{name: a, s3: {accessKey: hunter2}}]\nclusters:", []string{`unknown key "accessKey"`}},
		{"minimum of no kind", "clusters:", "minimums: {preSync: [{name: a}]}\nclusters:", []string{"minimums.preSync[0]: expected exactly one of nodes"}},
		{"minimum of two kinds", "clusters:", "minimums: {preSync: [{name: a, nodes: {}, pods: {}}]}\nclusters:", []string{"found 2"}},
		{"minimum by preset", "clusters:", "minimums: {preSync: [{name: a, use: x/y}]}\nclusters:", []string{"minimums.preSync[0].use: expected the check written out"}},
		{"minimum twice", "clusters:", "minimums: {preSync: [{name: a, nodes: {}}, {name: a, nodes: {}}]}\nclusters:", []string{"a name of its own"}},
		{"guard without admission", "clusters:", "minimums: {guards: [{repository: fleet, gate: chat, namespace: chat, guard: {use: mattermost/server}}]}\nclusters:", []string{"minimums.guards: expected admission.clusters"}},
		{"guard of no repository", "clusters:", "minimums: {guards: [{repository: x, guard: {apiVersion: v1, kind: pod, fields: [{path: \"spec.*\", value: \"${x}\"}]}}]}\nclusters:", []string{
			`minimums.guards[0].repository: expected the name of one of the repositories, found "x"`, "minimums.guards[0].gate: expected a value", "minimums.guards[0].namespace",
			`minimums.guards[0].guard.kind: expected a kind, found "pod"`, "minimums.guards[0].guard.fields[0].path: expected the path of one field", "undeclared reference to 'x'"}},
		{"guard by no preset", "clusters:", "minimums: {guards: [{repository: fleet, gate: chat, namespace: chat, guard: {use: mattermost/x}}]}\nclusters:", []string{"minimums.guards[0].guard.use: expected one of mattermost/server"}},
		{"admission without proof", "clusters:", "admission: {clusters: [{name: eu}]}\nclusters:", []string{"admission.clusters[0]: expected clientCAFile or tokenFile"}},
		{"admission by certificate without tls", "clusters:", "admission: {clusters: [{name: eu, clientCAFile: ca}]}\nclusters:", []string{"admission.clusters[0].clientCAFile: expected tls"}},
		{"admission by names alone", "clusters:", "admission: {clusters: [{name: eu, tokenFile: t, clientNames: [x]}]}\nclusters:", []string{"admission.clusters[0].clientNames: expected clientCAFile"}},
		{"admission by no token in the path", "clusters:", "admission: {clusters: [{name: eu, tokenInPath: true}]}\nclusters:", []string{"admission.clusters[0].tokenInPath: expected tokenFile"}},
		{"admission twice", "clusters:", "admission: {clusters: [{name: eu, tokenFile: t}, {name: eu, tokenFile: t}]}\nclusters:", []string{`admission.clusters[1].name: expected a name of its own`}},
		{"log level", "clusters:", "log: {level: loud}\nclusters:", []string{"log.level: expected debug"}},
		{"two documents", "clusters:", "---\nclusters:", []string{"expected one YAML document"}},
		{"no YAML", "clusters:", "\tclusters: {", []string{"c.yaml: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := strings.Replace(minimal, tt.old, tt.new, 1)
			if in == minimal {
				t.Fatalf("%q is not in the minimal file", tt.old)
			}
			_, err := config.Decode([]byte(in), "c.yaml")
			if err == nil {
				t.Fatal("no mistake was found")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("expected %q in:\n%v", want, err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is shown: %v", err)
			}
		})
	}
	for name, in := range map[string]string{"empty": "", "only a comment": "# x\n", "a list": "[]", "a scalar": "x", "over the limit": strings.Repeat("#", config.MaxFile+1),
		"deep": "a: " + strings.Repeat("[", 5000)} {
		if _, err := config.Decode([]byte(in), "c.yaml"); err == nil || !strings.Contains(err.Error(), "c.yaml") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The reference has a row for every field that a file can set.
func TestReferenceIsWhole(t *testing.T) {
	b, err := os.ReadFile(filepath.FromSlash("../../docs/reference/server-config.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths(reflect.TypeFor[config.Config](), "") {
		if !strings.Contains(string(b), "| `"+path+"` |") {
			t.Errorf("docs/reference/server-config.md has no row for %s", path)
		}
	}
}

func paths(t reflect.Type, at string) (out []string) {
	switch {
	case t.Kind() == reflect.Pointer:
		return paths(t.Elem(), at)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct && t.Elem() != reflect.TypeFor[gate.Check]():
		return paths(t.Elem(), at+"[]")
	case t.Kind() != reflect.Struct, t == reflect.TypeFor[gate.Guard]():
		return []string{strings.TrimPrefix(at, ".")}
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "-" {
			out = append(out, paths(t.Field(i).Type, at+"."+name)...)
		}
	}
	return out
}

// Whatever the file, there is an answer that names the file, and what is taken
// is whole.
func FuzzDecode(f *testing.F) {
	f.Add(full(f))
	f.Add([]byte(minimal))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := config.Decode(in, "c.yaml")
		if err != nil {
			if !strings.Contains(err.Error(), "c.yaml") {
				t.Fatalf("error without the file's name: %v", err)
			}
			return
		}
		if len(c.Repositories) == 0 || len(c.Clusters) == 0 || c.Database.Path == "" || (c.TLS == nil) != c.Insecure {
			t.Fatalf("taken, and not whole: %+v", c)
		}
	})
}
