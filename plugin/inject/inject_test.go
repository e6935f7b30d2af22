package inject

import (
	"bytes"
	"encoding/pem"
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/yaml"

	"github.com/syncgate/syncgate/plugin/render"
	"github.com/syncgate/syncgate/policies/gate"
)

var update = flag.Bool("update", false, "write the Jobs into testdata")

const sha = "0123456789abcdef0123456789abcdef01234567"

func testGate(preSync, postSync int) *gate.Gate {
	g := &gate.Gate{Metadata: gate.Metadata{Name: "mattermost"}, File: "apps/mattermost/syncgate.yaml"}
	g.Spec.PreSync.Checks = make([]gate.Check, preSync)
	g.Spec.PreSync.Deadline = gate.Duration(time.Hour)
	g.Spec.PostSync.Checks = make([]gate.Check, postSync)
	return g
}

func testConfig() Config {
	return Config{Image: "registry.example.com/syncgate:v1", Server: "https://syncgate.syncgate.svc"}
}

func testChange() Change {
	return Change{Repository: "https://git.example.com/org/repo.git", Revision: sha, Cluster: "eu"}
}

func testCA(t *testing.T) string {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// TestJobs compares whole Jobs with testdata.
func TestJobs(t *testing.T) {
	all := testConfig()
	all.ServiceAccount, all.Namespace, all.PullSecret = "gatekeeper", "syncgate", "pull"
	all.PublicURL = "https://syncgate.example.com/runs/"
	alone := testConfig()
	alone.Server = ""
	for _, tt := range []struct {
		name   string
		gate   *gate.Gate
		config Config
	}{
		{"both", testGate(1, 2), testConfig()},
		{"none", testGate(0, 0), testConfig()},
		{"no-server", testGate(0, 0), alone},
		{"configured", testGate(1, 0), all},
	} {
		t.Run(tt.name, func(t *testing.T) {
			jobs, err := Jobs(tt.gate, testChange(), tt.config, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			for _, j := range jobs {
				got.WriteString("---\n")
				got.Write(j.Data)
				got.WriteByte('\n')
			}
			file := filepath.Join("testdata", tt.name+".yaml")
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// TestJobForm holds what must be true of every Job, whatever testdata says.
func TestJobForm(t *testing.T) {
	cfg := testConfig()
	cfg.CA = testCA(t)
	jobs, err := Jobs(testGate(1, 1), testChange(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(jobs) != 3 {
		t.Fatalf("got %d Jobs, want PreSync, PostSync and SyncFail", len(jobs))
	}
	for _, o := range jobs {
		var job batchv1.Job
		if err := yaml.UnmarshalStrict(o.Data, &job); err != nil {
			t.Fatalf("%s: %v", o.Name, err)
		}
		pod := job.Spec.Template.Spec
		c := pod.Containers[0]
		for what, ok := range map[string]bool{
			"never runs twice":             *job.Spec.BackoffLimit == 0 && pod.RestartPolicy == "Never",
			"stays until it is read":       job.Spec.TTLSecondsAfterFinished == nil,
			"ends":                         *job.Spec.ActiveDeadlineSeconds > 0,
			"no token of the API":          !*pod.AutomountServiceAccountToken,
			"as another than root":         *pod.SecurityContext.RunAsNonRoot && *c.SecurityContext.RunAsNonRoot,
			"no privilege":                 !*c.SecurityContext.AllowPrivilegeEscalation && c.SecurityContext.Capabilities.Drop[0] == "ALL" && c.SecurityContext.Capabilities.Add == nil,
			"seccomp":                      pod.SecurityContext.SeccompProfile.Type == "RuntimeDefault",
			"read-only":                    *c.SecurityContext.ReadOnlyRootFilesystem,
			"bounded":                      !c.Resources.Limits.Memory().IsZero() && !c.Resources.Requests.Cpu().IsZero(),
			"token for the server alone":   pod.Volumes[0].Projected.Sources[0].ServiceAccountToken.Audience == "syncgate",
			"token outlives the Job":       *pod.Volumes[0].Projected.Sources[0].ServiceAccountToken.ExpirationSeconds >= *job.Spec.ActiveDeadlineSeconds,
			"pinned to the revision":       strings.HasSuffix(job.Name, "-01234567") && strings.Contains(strings.Join(c.Args, " "), "--revision="+sha),
			"CA in the pod":                pod.Volumes[0].Projected.Sources[1].DownwardAPI != nil && job.Spec.Template.Annotations[annotationCA] == cfg.CA,
			"name in the head as in text":  job.Name == o.Name && job.Annotations[annotationHook] == o.Annotations[annotationHook],
			"deleted before the next only": job.Annotations[annotationDelete] == "BeforeHookCreation",
		} {
			if !ok {
				t.Errorf("%s: %s: does not hold:\n%s", o.Name, what, o.Data)
			}
		}
	}
}

func TestName(t *testing.T) {
	form := regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)
	long := strings.Repeat("very-long-", 20) + "name"
	for _, tt := range []struct{ name, phase, gate, cluster, want string }{
		{"short", "presync", "mattermost", "eu", "syncgate-presync-mattermost-eu-01234567"},
		{"exact", "syncfail", strings.Repeat("g", 33), "c", "syncgate-syncfail-" + strings.Repeat("g", 33) + "-c-01234567"},
		{"dots", "postsync", "mm", "eu.example.com", "syncgate-postsync-mm-eu-example-com-5b3692b6-01234567"},
		{"long gate", "presync", long, "eu", ""},
		{"long cluster", "presync", "mm", long, ""},
		{"cut at a dash", "presync", strings.Repeat("g", 27) + "-x", "eu" + long, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Name(tt.phase, tt.gate, tt.cluster, sha)
			if len(got) > 63 || !form.MatchString(got) {
				t.Errorf("Name = %q, %d bytes: no label", got, len(got))
			}
			if tt.want != "" && got != tt.want {
				t.Errorf("Name = %q, want %q", got, tt.want)
			}
		})
	}
	if Name("presync", "mm", "a.b", sha) == Name("presync", "mm", "a-b", sha) {
		t.Error("two clusters have one name")
	}
	if Name("presync", "mm", long+"a", sha) == Name("presync", "mm", long+"b", sha) {
		t.Error("two long clusters have one name")
	}
}

func TestRefuses(t *testing.T) {
	object := func(kind, name string, annotations map[string]string) render.Object {
		return render.Object{Source: "x.yaml", Head: render.Head{APIVersion: "batch/v1", Kind: kind, Name: name, Annotations: annotations}}
	}
	ours := Name("presync", "mattermost", "eu", sha)
	for _, tt := range []struct {
		name    string
		change  func(*Change)
		config  func(*Config)
		objects []render.Object
		want    string // "" for no error
	}{
		{name: "short revision", change: func(c *Change) { c.Revision = "01234567" }, want: "full commit SHA"},
		{name: "branch", change: func(c *Change) { c.Revision = "main" }, want: `found revision "main"`},
		{name: "no revision", change: func(c *Change) { c.Revision = "" }, want: "full commit SHA"},
		{name: "upper case", change: func(c *Change) { c.Revision = strings.ToUpper(sha) }, want: "full commit SHA"},
		{name: "SHA-256", change: func(c *Change) { c.Revision = sha + sha[:24] }},
		{name: "no repository", change: func(c *Change) { c.Repository = "" }, want: "ARGOCD_APP_SOURCE_REPO_URL"},
		{name: "no image", config: func(c *Config) { c.Image = "" }, want: "SYNCGATE_HOOK_IMAGE"},
		{name: "no server", config: func(c *Config) { c.Server = "" }, want: "SYNCGATE_SERVER_URL"},
		{name: "server without scheme", config: func(c *Config) { c.Server = "syncgate:443" }, want: "SYNCGATE_SERVER_URL"},
		{name: "server with password", config: func(c *Config) { c.Server = "https://a:b@c" }, want: "remove it"},
		{name: "pages", config: func(c *Config) { c.PublicURL = "http://localhost:8081" }},
		{name: "pages by script", config: func(c *Config) { c.PublicURL = "javascript:alert(1)//h" }, want: "SYNCGATE_PUBLIC_URL"},
		{name: "pages with password", config: func(c *Config) { c.PublicURL = "https://a:b@c" }, want: "SYNCGATE_PUBLIC_URL"},
		{name: "pages with a title", config: func(c *Config) { c.PublicURL = "https://c/|javascript:x" }, want: "SYNCGATE_PUBLIC_URL"},
		{name: "pages with a query", config: func(c *Config) { c.PublicURL = "https://c/?a=b" }, want: "SYNCGATE_PUBLIC_URL"},
		{name: "key as CA", config: func(c *Config) {
			c.CA = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
		}, want: "certificates in PEM and nothing else"},
		{name: "text as CA", config: func(c *Config) { c.CA = "hello" }, want: "certificates in PEM"},
		{name: "name taken", objects: []render.Object{object("Job", ours, nil)}, want: "has the name of Syncgate's own hook Job"},
		{name: "name taken in a list", objects: []render.Object{{Source: "x.yaml", Head: render.Head{Kind: "List"}, Items: []render.Head{{Kind: "Job", Name: ours}}}}, want: "rename it"},
		{name: "same name, other kind", objects: []render.Object{object("Service", ours, nil)}},
		{name: "PreSync hook before the gate", objects: []render.Object{object("Job", "a", map[string]string{
			"argocd.argoproj.io/hook": "PostSync, PreSync", "argocd.argoproj.io/sync-wave": "-1000000",
		})}, want: "not after the gate's own"},
		{name: "Helm hook before the gate", objects: []render.Object{object("Job", "a", map[string]string{
			"helm.sh/hook": "pre-upgrade", "helm.sh/hook-weight": "-2000000",
		})}, want: "not after the gate's own"},
		{name: "user's hook after the gate", objects: []render.Object{object("Job", "a", map[string]string{
			"argocd.argoproj.io/hook": "PreSync", "argocd.argoproj.io/sync-wave": "-999",
		})}},
		{name: "early wave, no PreSync hook", objects: []render.Object{object("Job", "a", map[string]string{"argocd.argoproj.io/sync-wave": "-2000000"})}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			change, cfg := testChange(), testConfig()
			if tt.change != nil {
				tt.change(&change)
			}
			if tt.config != nil {
				tt.config(&cfg)
			}
			jobs, err := Jobs(testGate(1, 0), change, cfg, tt.objects)
			switch {
			case tt.want == "" && (err != nil || len(jobs) != 3):
				t.Errorf("got %d Jobs and error %v, want 3 and none", len(jobs), err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestNoSecretsAndNoTricks holds what may not reach a Job's arguments.
func TestNoSecretsAndNoTricks(t *testing.T) {
	for _, tt := range []struct{ repository, want string }{
		{"https://user:hunter2@git.example.com/r.git", "--repository=https://git.example.com/r.git"},
		{"https://hunter2@git.example.com/r.git", "--repository=https://git.example.com/r.git"},
		{"ssh://git@git.example.com/r.git", "--repository=ssh://git@git.example.com/r.git"},
		{"git@git.example.com:org/r.git", "--repository=git@git.example.com:org/r.git"},
		{"https://git.example.com/$(SYNCGATE_ATTEMPT)", "--repository=https://git.example.com/$$(SYNCGATE_ATTEMPT)"},
		{"--server=https://evil.example.com", "--repository=--server=https://evil.example.com"},
	} {
		change := testChange()
		change.Repository = tt.repository
		jobs, err := Jobs(testGate(1, 0), change, testConfig(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var job batchv1.Job
		if err := yaml.Unmarshal(jobs[0].Data, &job); err != nil {
			t.Fatal(err)
		}
		found := false
		for _, arg := range job.Spec.Template.Spec.Containers[0].Args {
			found = found || arg == tt.want
		}
		if !found {
			t.Errorf("%s: got %q, want %q", tt.repository, job.Spec.Template.Spec.Containers[0].Args, tt.want)
		}
		if bytes.Contains(jobs[0].Data, []byte("hunter2")) {
			t.Errorf("%s: the password is in the Job", tt.repository)
		}
	}
}

// Kept or not, the Jobs are the same to the byte, also when another one was
// written in between.
func TestWrittenIsTheSame(t *testing.T) {
	g, kept := testGate(1, 1), testConfig()
	kept.Written = NewWritten()
	other := testChange()
	other.Cluster = "us"
	for _, ch := range []Change{testChange(), other, testChange(), other} {
		want, err := Jobs(g, ch, testConfig(), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Jobs(g, ch, kept, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("cluster %s (-not kept +kept):\n%s", ch.Cluster, diff)
		}
	}
}
