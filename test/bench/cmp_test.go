package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/test/harness"
)

// cmpPairs is how often both programs run, one after the other and in turn.
const cmpPairs = 30

// The bounds that hold: what Syncgate's process costs in processor time, over
// what Helm's costs in the same run.
const (
	cmpGenerateBound = 1.3
	cmpVersionBound  = 1.0
)

// BenchmarkCmpGenerate is `syncgate-cmp generate`, as plugin.yaml has it, against `helm template
// --include-crds`, as processes, on one chart of ten objects with two values
// files. Syncgate reads a Gate of two clusters, compares their values and adds
// hook Jobs, which Helm does not.
func BenchmarkCmpGenerate(b *testing.B) {
	programs := newCmpPrograms(b)
	dir := cmpRepository(b)
	env := append(os.Environ(),
		"HELM_CACHE_HOME="+dir, "HELM_CONFIG_HOME="+dir, "HELM_DATA_HOME="+dir, "KUBECONFIG=/dev/null",
		"ARGOCD_APP_NAME=shop", "ARGOCD_APP_NAMESPACE=shop", "ARGOCD_APP_SOURCE_PATH=apps/shop",
		"ARGOCD_APP_REVISION=0123456789abcdef0123456789abcdef01234567",
		"ARGOCD_APP_SOURCE_REPO_URL=https://git.example.com/org/repo.git",
		`ARGOCD_APP_PARAMETERS=[{"name":"cluster","string":"eu"}]`,
		"KUBE_VERSION=1.34.4", "KUBE_API_VERSIONS=v1,apps/v1,batch/v1",
		"SYNCGATE_HOOK_IMAGE=registry.example.com/syncgate:v1", "SYNCGATE_SERVER_URL=https://syncgate.syncgate.svc",
	)
	work := filepath.Join(dir, "apps", "shop")
	ours := cmpCommand{programs.plugin, []string{"generate"}, work, env}
	helms := cmpCommand{programs.helm, []string{
		"template", "shop", "chart", "--namespace", "shop", "--values", "values/common.yaml", "--values", "values/eu.yaml",
		"--kube-version", "1.34.4", "--api-versions", "v1,apps/v1,batch/v1", "--include-crds",
	}, work, env}
	// Ten objects each, and the three hook Jobs.
	if n := strings.Count(ours.output(b), "\nkind: "); n != 13 {
		b.Fatalf("syncgate-cmp generate gives %d objects, expected 13", n)
	}
	if n := strings.Count(helms.output(b), "\nkind: "); n != 10 {
		b.Fatalf("helm template gives %d objects, expected 10", n)
	}
	cmpCompare(b, ours, helms, cmpGenerateBound)
}

// BenchmarkCmpVersion is the start of either program.
func BenchmarkCmpVersion(b *testing.B) {
	programs := newCmpPrograms(b)
	dir := b.TempDir()
	ours := cmpCommand{programs.syncgate, []string{"version"}, dir, os.Environ()}
	helms := cmpCommand{programs.helm, []string{"version"}, dir, append(os.Environ(), "HELM_CONFIG_HOME="+dir)}
	cmpCompare(b, ours, helms, cmpVersionBound)
}

type cmpPrograms struct{ syncgate, plugin, helm string }

// newCmpPrograms builds Syncgate as it is released, and finds Helm.
func newCmpPrograms(b *testing.B) cmpPrograms {
	b.Helper()
	helm, err := harness.Tool(b.Context(), "helm", os.Stderr)
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", dir,
		"github.com/syncgate/syncgate/cmd/syncgate", "github.com/syncgate/syncgate/cmd/syncgate-cli", "github.com/syncgate/syncgate/cmd/syncgate-cmp")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build syncgate: %v\n%s", err, out)
	}
	return cmpPrograms{syncgate: filepath.Join(dir, "syncgate"), plugin: filepath.Join(dir, "syncgate-cmp"), helm: helm}
}

type cmpCommand struct {
	program string
	args    []string
	dir     string
	env     []string
}

func (c cmpCommand) command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.program, c.args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	return cmd
}

func (c cmpCommand) output(b *testing.B) string {
	b.Helper()
	cmd := c.command(b.Context())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%s %v: %v\n%s", c.program, c.args, err, &stderr)
	}
	return "\n" + string(out)
}

// cpu is the processor time of one run, user and system together.
func (c cmpCommand) cpu(b *testing.B) time.Duration {
	b.Helper()
	cmd := c.command(b.Context())
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s %v: %v", c.program, c.args, err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// cmpCompare runs both programs in turn and reports the medians and their
// ratio.
func cmpCompare(b *testing.B, ours, helms cmpCommand, bound float64) {
	b.Helper()
	var a, z []time.Duration
	for b.Loop() {
		for range cmpPairs {
			a = append(a, ours.cpu(b))
			z = append(z, helms.cpu(b))
		}
	}
	ratio := float64(cmpMedian(a)) / float64(cmpMedian(z))
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(cmpMedian(a).Microseconds())/1000, "syncgate-cpu-ms")
	b.ReportMetric(float64(cmpMedian(z).Microseconds())/1000, "helm-cpu-ms")
	b.ReportMetric(ratio, "ratio")
	if ratio > bound {
		b.Errorf("%v costs %.2f times what %v costs, expected at most %.2f", ours.args, ratio, helms.args, bound)
	}
}

func cmpMedian(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2]
}

// cmpRepository writes a repository with a Gate of two clusters and a chart of
// ten objects.
func cmpRepository(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	files := map[string]string{
		"apps/shop/syncgate.yaml": `apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: shop}
spec:
  source: {helm: {chart: chart}}
  clusters:
    - {name: eu, values: [values/common.yaml, values/eu.yaml]}
    - {name: us, values: [values/common.yaml, values/us.yaml]}
  perCluster:
    - {path: host, reason: every site has its own name}
  required: [image.tag]
  preSync: {checks: [{name: nodes, nodes: {}}]}
  postSync: {checks: [{name: pods, pods: {}}]}
`,
		"apps/shop/values/common.yaml": "replicas: 3\nimage: {repository: registry.example.com/shop, tag: \"1.2.3\"}\n",
		"apps/shop/values/eu.yaml":     "host: eu.example.com\n",
		"apps/shop/values/us.yaml":     "host: us.example.com\n",
		"apps/shop/chart/Chart.yaml":   "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
		"apps/shop/chart/values.yaml":  "replicas: 1\nhost: \"\"\nimage: {repository: \"\", tag: \"\"}\nresources: {requests: {cpu: 100m, memory: 128Mi}}\n",
		"apps/shop/chart/templates/_helpers.tpl": `{{- define "shop.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
`,
	}
	kinds := []string{"Deployment", "Service", "ConfigMap", "Secret", "ServiceAccount", "Role", "RoleBinding", "Ingress", "PodDisruptionBudget", "HorizontalPodAutoscaler"}
	for i, kind := range kinds {
		files[fmt.Sprintf("apps/shop/chart/templates/%d-%s.yaml", i, strings.ToLower(kind))] = fmt.Sprintf(`apiVersion: v1
kind: %s
metadata:
  name: {{ .Release.Name }}-%d
  namespace: {{ .Release.Namespace }}
  labels: {{- include "shop.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  host: {{ .Values.host | quote }}
  image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
  resources: {{- toYaml .Values.resources | nindent 4 }}
`, kind, i)
	}
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}
