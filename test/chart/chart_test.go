package chart

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chartutil"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/syncgate/syncgate/hooks/config"
	"github.com/syncgate/syncgate/plugin/inject"
	"github.com/syncgate/syncgate/test/harness"
)

// scenarios are the files of values in testdata and what becomes of them.
var scenarios = []struct {
	file string
	want []string // kind namespace/name
}{
	{"minimal.yaml", []string{
		"ClusterRole syncgate-gate-syncgate",
		"ClusterRoleBinding syncgate-gate-syncgate",
		"ConfigMap syncgate/gate-syncgate",
		"NetworkPolicy syncgate/gate-syncgate",
		"Service syncgate/gate-syncgate",
		"ServiceAccount syncgate/gate-syncgate",
		"StatefulSet syncgate/gate-syncgate",
	}},
	{"full.yaml", []string{
		"ClusterRole syncgate-gate-syncgate",
		"ClusterRole syncgate-gate-syncgate-override",
		"ClusterRoleBinding syncgate-gate-syncgate",
		"ClusterRoleBinding syncgate-gate-syncgate-override",
		"ConfigMap argocd/gate-syncgate-plugin",
		"ConfigMap syncgate/gate-syncgate",
		"NetworkPolicy syncgate/gate-syncgate",
		"Role argocd/syncgate-gate-syncgate-applications",
		"Role argocd/syncgate-gate-syncgate-argocd-clusters",
		"Role mattermost/syncgate-gate-syncgate",
		"Role mattermost-operator/syncgate-gate-syncgate",
		"Role mattermost/syncgate-gate-syncgate-explain",
		"Role mattermost-operator/syncgate-gate-syncgate-explain",
		"RoleBinding argocd/syncgate-gate-syncgate-applications",
		"RoleBinding argocd/syncgate-gate-syncgate-argocd-clusters",
		"RoleBinding mattermost/syncgate-gate-syncgate",
		"RoleBinding mattermost-operator/syncgate-gate-syncgate",
		"RoleBinding mattermost/syncgate-gate-syncgate-explain",
		"RoleBinding mattermost-operator/syncgate-gate-syncgate-explain",
		"Service syncgate/gate-syncgate",
		"ServiceAccount mattermost/syncgate-hook",
		"ServiceAccount mattermost-operator/syncgate-hook",
		"ServiceAccount syncgate/gate-syncgate",
		"StatefulSet syncgate/gate-syncgate",
		"ValidatingWebhookConfiguration syncgate-gate-syncgate",
		"Ingress syncgate/gate-syncgate-webhooks",
	}},
	{"other-cluster.yaml", []string{
		"ClusterRole syncgate-gate-syncgate",
		"ClusterRoleBinding syncgate-gate-syncgate",
		"ServiceAccount mattermost/syncgate-hook",
		"ServiceAccount syncgate/gate-syncgate",
		"ValidatingWebhookConfiguration syncgate-gate-syncgate",
	}},
}

func TestObjects(t *testing.T) {
	for _, tt := range scenarios {
		t.Run(tt.file, func(t *testing.T) {
			r := render(t, tt.file)
			var got []string
			for _, o := range r.Objects {
				got = append(got, name(t, o))
			}
			slices.Sort(got)
			want := slices.Sorted(slices.Values(tt.want))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			if strings.TrimSpace(r.Notes) == "" {
				t.Error("NOTES.txt says nothing")
			}
		})
	}
}

func name(t *testing.T, o runtime.Object) string {
	t.Helper()
	m, err := meta.Accessor(o)
	if err != nil {
		t.Fatal(err)
	}
	full := m.GetName()
	if m.GetNamespace() != "" {
		full = m.GetNamespace() + "/" + full
	}
	return o.GetObjectKind().GroupVersionKind().Kind + " " + full
}

// TestConfigurationIsTheServers decodes the ConfigMap as the server does.
func TestConfigurationIsTheServers(t *testing.T) {
	for _, file := range []string{"minimal.yaml", "full.yaml"} {
		t.Run(file, func(t *testing.T) {
			r := render(t, file)
			cm := find(t, r, func(c *corev1.ConfigMap) bool { return !strings.HasSuffix(c.Name, "-plugin") })
			c, err := config.Decode([]byte(cm.Data["config.yaml"]), "/etc/syncgate/config.yaml")
			if err != nil {
				t.Fatalf("%v\n%s", err, cm.Data["config.yaml"])
			}
			pod := find[*appsv1.StatefulSet](t, r, nil).Spec.Template.Spec
			if want := fmt.Sprintf(":%d", pod.Containers[0].Ports[0].ContainerPort); c.Listen != want {
				t.Errorf("listen: expected the pod's port %s, found %s", want, c.Listen)
			}
			if got := pod.Containers[0].ReadinessProbe.HTTPGet.Scheme; (got == corev1.URISchemeHTTPS) != (c.TLS != nil) {
				t.Errorf("probe asks by %s, tls is %+v", got, c.TLS)
			}
			for _, path := range paths(c) {
				if !mounted(pod.Containers[0], path) {
					t.Errorf("%s is not on any volume of the pod", path)
				}
			}
		})
	}
}

// paths are the files that the configuration names.
func paths(c *config.Config) []string {
	all := []string{c.Database.Path, c.CacheDir}
	if c.TLS != nil {
		all = append(all, c.TLS.CertFile, c.TLS.KeyFile)
	}
	for _, r := range c.Repositories {
		all = append(all, r.TokenFile)
		if r.Forge.GitHub != nil {
			all = append(all, r.Forge.GitHub.TokenFile)
			if r.Forge.GitHub.App != nil {
				all = append(all, r.Forge.GitHub.App.KeyFile)
			}
		}
	}
	if c.Webhooks.GitHub != nil {
		all = append(all, c.Webhooks.GitHub.SecretFile)
	}
	for _, a := range c.Admission.Clusters {
		all = append(all, a.ClientCAFile, a.TokenFile)
	}
	for _, s := range c.Stores {
		if s.S3 != nil {
			all = append(all, s.S3.AccessKeyFile, s.S3.SecretKeyFile)
		}
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

func mounted(c corev1.Container, path string) bool {
	return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
		return strings.HasPrefix(path, m.MountPath+"/")
	})
}

// TestHookAccountsAreNamed holds the three places together that must agree on
// what the hook Jobs run as: the accounts, the plugin and the notes.
func TestHookAccountsAreNamed(t *testing.T) {
	r := render(t, "full.yaml")
	for _, o := range r.Objects {
		account, ok := o.(*corev1.ServiceAccount)
		if !ok || account.Namespace == namespace {
			continue
		}
		if account.Name != inject.DefaultServiceAccount {
			t.Errorf("expected %s, which is what the Jobs run as, found %s", inject.DefaultServiceAccount, account.Name)
		}
		if want := account.Namespace + "/" + account.Name; !strings.Contains(r.Notes, want) {
			t.Errorf("NOTES.txt does not say to let %s in", want)
		}
	}
}

func TestNoConfigurationIsRefused(t *testing.T) {
	if _, err := renderValues(map[string]any{}); err == nil || !strings.Contains(err.Error(), "config.repositories") {
		t.Errorf("expected an error that names config.repositories, found %v", err)
	}
}

func TestPodIsRestricted(t *testing.T) {
	for _, file := range []string{"minimal.yaml", "full.yaml"} {
		t.Run(file, func(t *testing.T) {
			set := find[*appsv1.StatefulSet](t, render(t, file), nil)
			if *set.Spec.Replicas != 1 {
				t.Errorf("replicas: expected 1, the database is one file, found %d", *set.Spec.Replicas)
			}
			restricted(t, set.Spec.Template.Spec)
			c := set.Spec.Template.Spec.Containers[0]
			if c.LivenessProbe == nil || c.ReadinessProbe == nil || c.StartupProbe == nil {
				t.Error("expected startup, liveness and readiness probes")
			}
			if c.Resources.Requests.Cpu().IsZero() || c.Resources.Limits.Memory().IsZero() {
				t.Errorf("expected requests and a memory limit, found %v", c.Resources)
			}
		})
	}
}

// restricted asks for what the "restricted" Pod Security Standard does, and for
// a root file system that cannot be written.
func restricted(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	for _, c := range pod.Containers {
		s := c.SecurityContext
		switch {
		case s == nil, s.RunAsNonRoot == nil || !*s.RunAsNonRoot, s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation,
			s.Capabilities == nil || !slices.Contains(s.Capabilities.Drop, "ALL") || len(s.Capabilities.Add) > 0,
			s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault,
			s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem,
			s.RunAsUser == nil || *s.RunAsUser != 999:
			t.Errorf("container %s: not restricted: %+v", c.Name, s)
		}
	}
	if pod.HostNetwork || pod.HostPID || pod.HostIPC {
		t.Error("the pod shares something with its host")
	}
	for _, v := range pod.Volumes {
		if v.HostPath != nil {
			t.Errorf("volume %s is a folder of the host", v.Name)
		}
	}
}

func TestPermissions(t *testing.T) {
	for _, tt := range scenarios {
		t.Run(tt.file, func(t *testing.T) {
			for _, o := range render(t, tt.file).Objects {
				var rules []rbacv1.PolicyRule
				switch o := o.(type) {
				case *rbacv1.ClusterRole:
					rules = o.Rules
				case *rbacv1.Role:
					rules = o.Rules
				}
				for _, r := range rules {
					narrow(t, name(t, o), r)
				}
			}
		})
	}
}

// narrow refuses a rule that gives more than the checks need: any wildcard, any
// verb that changes something beside the two that must, Secrets of a cluster.
func narrow(t *testing.T, role string, r rbacv1.PolicyRule) {
	t.Helper()
	if slices.Contains(slices.Concat(r.Verbs, r.Resources, r.APIGroups), "*") {
		t.Errorf("%s: wildcard in %v", role, r)
	}
	if strings.HasSuffix(role, "-override") {
		// What it allows is for people, and only the server looks at it.
		want := rbacv1.PolicyRule{APIGroups: []string{"syncgate.dev"}, Resources: []string{"gates"}, Verbs: []string{"override"}, ResourceNames: r.ResourceNames}
		if diff := cmp.Diff(want, r); diff != "" {
			t.Errorf("%s (-want +got):\n%s", role, diff)
		}
		return
	}
	if strings.HasSuffix(role, "-applications") {
		for _, res := range r.Resources {
			if want := map[string][]string{"applications": {"list", "watch"}, "events": {"create"}}[res]; !slices.Equal(want, r.Verbs) {
				t.Errorf("%s: may %v %s, want %v", role, r.Verbs, res, want)
			}
		}
		return
	}
	if strings.HasSuffix(role, "-explain") {
		for _, res := range r.Resources {
			if want := map[string][]string{"pods": {"list", "watch"}, "jobs": {"get"}, "jobs/status": {"patch"}}[res]; !slices.Equal(want, r.Verbs) {
				t.Errorf("%s: may %v %s, want %v", role, r.Verbs, res, want)
			}
		}
		return
	}
	creates := map[string]bool{"tokenreviews": true, "subjectaccessreviews": true, "volumesnapshots": true}
	for _, verb := range r.Verbs {
		for _, res := range r.Resources {
			if verb != "get" && verb != "list" && (verb != "create" || !creates[res]) {
				t.Errorf("%s: may %s %s", role, verb, res)
			}
		}
	}
	if slices.Contains(r.Resources, "secrets") && !strings.HasSuffix(role, "-argocd-clusters") {
		t.Errorf("%s: may read Secrets", role)
	}
}

func TestNetworkPolicyNamesThePod(t *testing.T) {
	r := render(t, "full.yaml")
	policy := find[*networkingv1.NetworkPolicy](t, r, nil)
	set := find[*appsv1.StatefulSet](t, r, nil)
	service := find[*corev1.Service](t, r, nil)
	for k, v := range policy.Spec.PodSelector.MatchLabels {
		if set.Spec.Template.Labels[k] != v {
			t.Errorf("network policy selects %s=%s, the pod has %q", k, v, set.Spec.Template.Labels[k])
		}
	}
	if diff := cmp.Diff(set.Spec.Selector.MatchLabels, service.Spec.Selector); diff != "" {
		t.Errorf("service and pod differ (-pod +service):\n%s", diff)
	}
	if len(policy.Spec.Egress) < 2 {
		t.Errorf("egress: expected DNS and what the values list, found %d rules", len(policy.Spec.Egress))
	}
}

func TestPluginFileIsThePlugins(t *testing.T) {
	cm := find(t, render(t, "full.yaml"), func(c *corev1.ConfigMap) bool { return strings.HasSuffix(c.Name, "-plugin") })
	if diff := cmp.Diff(strings.TrimSpace(readFile(t, "../../plugin/plugin.yaml")), strings.TrimSpace(cm.Data["plugin.yaml"])); diff != "" {
		t.Errorf("charts/syncgate/files/plugin.yaml is not plugin/plugin.yaml; copy it (-plugin +chart):\n%s", diff)
	}
}

func TestRepoServerPatch(t *testing.T) {
	r := render(t, "full.yaml")
	cm := find(t, r, func(c *corev1.ConfigMap) bool { return strings.HasSuffix(c.Name, "-plugin") })
	var patch appsv1.Deployment
	if err := yaml.UnmarshalStrict([]byte(cm.Data["repo-server-patch.yaml"]), &patch); err != nil {
		t.Fatal(err)
	}
	pod := patch.Spec.Template.Spec
	restricted(t, pod)
	if len(pod.Containers) != 1 {
		t.Fatalf("expected one sidecar, found %d", len(pod.Containers))
	}
	// These two come with Argo CD's own repo-server; the rest the patch brings.
	volumes := []string{"var-files", "plugins"}
	for _, v := range pod.Volumes {
		volumes = append(volumes, v.Name)
		if v.ConfigMap != nil && v.ConfigMap.Name != cm.Name {
			t.Errorf("volume %s: expected ConfigMap %s, found %s", v.Name, cm.Name, v.ConfigMap.Name)
		}
	}
	for _, m := range pod.Containers[0].VolumeMounts {
		if !slices.Contains(volumes, m.Name) {
			t.Errorf("no volume %s", m.Name)
		}
	}
	sidecar := pod.Containers[0]
	for _, e := range sidecar.Env {
		if e.Name == "SYNCGATE_SERVER_CA_FILE" && !slices.ContainsFunc(sidecar.VolumeMounts, func(m corev1.VolumeMount) bool {
			return m.MountPath == e.Value && cm.Data[m.SubPath] != ""
		}) {
			t.Errorf("%s: nothing is mounted at %s", e.Name, e.Value)
		}
	}
	configured(t, sidecar.Env)
	set := find[*appsv1.StatefulSet](t, r, nil)
	if got, want := pod.Containers[0].Image, set.Spec.Template.Spec.Containers[0].Image; got != want {
		t.Errorf("sidecar's image: expected %s, found %s", want, got)
	}
}

// configured asks the plugin whether the sidecar's environment will do.
func configured(t *testing.T, env []corev1.EnvVar) {
	t.Helper()
	vars := map[string]string{}
	for _, e := range env {
		vars[e.Name] = e.Value
	}
	if vars["SYNCGATE_PUBLIC_URL"] != "https://syncgate.example.com" {
		t.Errorf("SYNCGATE_PUBLIC_URL: expected config.publicURL, found %q", vars["SYNCGATE_PUBLIC_URL"])
	}
	c := inject.Config{Image: vars["SYNCGATE_HOOK_IMAGE"], Server: vars["SYNCGATE_SERVER_URL"], PublicURL: vars["SYNCGATE_PUBLIC_URL"]}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

// TestNativePlugin asks for the sidecar that is a plugin server itself.
func TestNativePlugin(t *testing.T) {
	values, err := chartutil.ReadValuesFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	values["plugin"].(map[string]any)["native"] = true
	r, err := renderValues(values)
	if err != nil {
		t.Fatal(err)
	}
	cm := find(t, r, func(c *corev1.ConfigMap) bool { return strings.HasSuffix(c.Name, "-plugin") })
	var patch appsv1.Deployment
	if err := yaml.UnmarshalStrict([]byte(cm.Data["repo-server-patch.yaml"]), &patch); err != nil {
		t.Fatal(err)
	}
	c := patch.Spec.Template.Spec.Containers[0]
	if len(c.Command) != 0 || !slices.Equal(c.Args, []string{"cmp", "serve", "--archives-mib=256"}) {
		t.Errorf("expected the image's program with cmp serve, found %v %v", c.Command, c.Args)
	}
	// The bound must act before the kernel does.
	if limit := c.Resources.Limits.Memory().Value(); limit < (256+200)<<20 {
		t.Errorf("expected room for 256 MiB of archives and some 200 beside, found a limit of %d", limit)
	}
	restricted(t, patch.Spec.Template.Spec)
	if !mounted(c, "/home/argocd/cmp-server/plugins/syncgate.sock") || mounted(c, "/var/run/argocd/argocd-cmp-server") {
		t.Errorf("expected the folder of sockets and none of Argo CD's programs, found %v", c.VolumeMounts)
	}
}

func TestSchemaRefuses(t *testing.T) {
	tests := []struct {
		name   string
		values string
		want   string
	}{
		{"unknown key", "persist: {enabled: false}", "persist"},
		{"secret in the values", "env: [{name: TOKEN, value: abc}]", "/env/0"},
		{"two pods on one file", "persistence: {accessModes: [ReadWriteMany]}", "accessModes"},
		{"taking snapshots it may not see", "rbac: {snapshots: {take: true, read: false}}", "snapshots"},
		{"wildcard", "rbac: {resources: [{apiGroups: ['*'], resources: [secrets]}]}", "apiGroups"},
		{"asking about a subresource", "admission: {rules: [{apiGroups: [apps], apiVersions: [v1], resources: [deployments/status]}]}", "resources"},
		{"asking about everything", "admission: {rules: [{apiGroups: ['*'], apiVersions: [v1], resources: [pods]}]}", "apiGroups"},
		{"a token that can be guessed", "admission: {pathToken: abc}", "pathToken"},
		{"asking over plain http", "admission: {url: http://x}", "url"},
		{"digest that is none", "image: {digest: latest}", "digest"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			values := map[string]any{}
			if err := yaml.Unmarshal([]byte(tt.values), &values); err != nil {
				t.Fatal(err)
			}
			_, err := renderValues(values)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("expected an error that names %q, found %v", tt.want, err)
			}
		})
	}
}

func TestReadmeNamesEveryValue(t *testing.T) {
	values := map[string]any{}
	if err := yaml.Unmarshal([]byte(readFile(t, chartDir+"/values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	readme := readFile(t, chartDir+"/README.md")
	for _, key := range leaves("", values) {
		if !strings.Contains(readme, "| `"+key+"` |") {
			t.Errorf("README.md has no row for %s", key)
		}
	}
}

// leaves are the paths of the values; resources and the like are one value.
func leaves(prefix string, values map[string]any) []string {
	var keys []string
	for k, v := range values {
		key := k
		if prefix != "" {
			key = prefix + "." + k
		}
		if m, ok := v.(map[string]any); ok && len(m) > 0 && k != "resources" {
			keys = append(keys, leaves(key, m)...)
			continue
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func TestLint(t *testing.T) {
	helm, err := harness.Tool(t.Context(), "helm", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range scenarios {
		t.Run(tt.file, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), helm, "lint", "--strict", chartDir, "--values", "testdata/"+tt.file).CombinedOutput()
			if err != nil {
				t.Errorf("helm lint: %v\n%s", err, out)
			}
		})
	}
}
