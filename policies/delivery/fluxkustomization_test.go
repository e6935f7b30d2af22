package delivery

import (
	"cmp"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/tree"
	"github.com/syncgate/syncgate/policies/values"
)

// TestFluxKustomizations: what a Flux Kustomization does to a HelmRelease on its
// way is not in the HelmRelease's file.
func TestFluxKustomizations(t *testing.T) {
	const (
		patch = `patches: [{target: {kind: HelmRelease}, patch: '[{op: replace, path: /spec/values/a, value: 9}]'}]`
		here  = "path: ./apps, "
	)
	listed := map[string]string{"R": "${cluster}", "NUM": "3"}
	tests := []struct {
		name, spec string
		cluster    string // of the Kustomization's file; eu
		file       string // of the HelmRelease; apps/eu/shop.yaml
		release    string // values of the HelmRelease
		more       string // spec of another Kustomization
		objects    string // more of them
		meta       string // metadata of the HelmRelease
		// kustomization is the folder that gives the HelmRelease, in place of its file.
		kustomization string
		variables     map[string]string
		repository    string
		fail          string
	}{
		{name: "nothing", spec: here + "prune: true, patches: [], namePrefix: ''"},
		{name: "patches", spec: here + patch, fail: "eu/flux.yaml:6:29: Kustomization flux-system/apps: has spec.patches, which may change HelmRelease shop/shop at apps/eu/shop.yaml:3:1"},
		{name: "no path", spec: patch, fail: "has spec.patches"},
		{name: "root", spec: "path: ./, " + patch, fail: "has spec.patches"},
		{name: "unknown path", spec: "path: ./nowhere, " + patch, fail: "has spec.patches"},
		{name: "folder beside", spec: "path: ./infra, " + patch},
		{name: "build that reads it", spec: "path: ./overlays/eu, " + patch, fail: "has spec.patches"},
		{name: "build that does not", spec: "path: ./overlays/other, " + patch},
		{name: "build that fails", spec: "path: ./overlays/broken, " + patch, fail: "has spec.patches"},
		{name: "folder above a build that reads it", spec: "path: ./deploy, " + patch, fail: "has spec.patches"},
		{name: "folder above a build that leaves it out", spec: "path: ./nested, " + patch, file: "nested/eu/app/shop.yml"},
		{name: "folder of files", spec: "path: ./plain, " + patch, file: "plain/eu/app/shop.yml", fail: "has spec.patches"},
		{name: "folder beside files", spec: "path: ./plain/b, " + patch, file: "plain/eu/app/shop.yml"},
		{name: "folder above a build that fails", spec: "path: ./overlays, " + patch, fail: "has spec.patches"},
		{name: "patch of a Kustomization that reads it", spec: "path: ./eu, patches: [{target: {kind: Kustomization}, patch: x}]", more: "path: ./apps", fail: "has spec.patches"},
		{name: "patch of a Kustomization that does not", spec: "path: ./eu, patches: [{target: {kind: Kustomization}, patch: x}]", more: "path: ./infra"},
		{name: "patch beside a Kustomization that reads it", spec: "path: ./eu, " + patch, more: "path: ./apps"},
		{name: "another cluster's", cluster: "us", spec: here + patch},
		{name: "another repository's", repository: "https://example.com/here", spec: here + "sourceRef: {kind: GitRepository, name: other}, " + patch},
		{name: "this repository's", repository: "https://example.com/here", spec: here + "sourceRef: {kind: GitRepository, name: this}, " + patch, fail: "has spec.patches"},
		{name: "patch of another kind", spec: here + `patches: [{target: {kind: Deployment}, patch: x}, {patch: "{kind: Service, metadata: {name: x}}"}]`},
		{name: "patch of some kinds", spec: here + `patches: [{target: {kind: ".*"}, patch: x}]`, fail: "has spec.patches"},
		{name: "patch by name", spec: here + `patches: [{target: {name: shop}, patch: x}]`, fail: "has spec.patches"},
		{name: "patch that says its kind", spec: here + `patches: [{patch: "{kind: HelmRelease, metadata: {name: shop}}"}]`, fail: "has spec.patches"},
		{name: "patch of another HelmRelease", spec: here + `patches: [{target: {kind: HelmRelease, name: other}, patch: x}]`},
		{name: "patch of this HelmRelease", spec: here + `patches: [{target: {kind: HelmRelease, name: shop}, patch: x}]`, fail: "has spec.patches"},
		{name: "patch of a part of the name", spec: here + `patches: [{target: {kind: HelmRelease, name: sho}, patch: x}]`},
		{name: "patch of names", spec: here + `patches: [{target: {kind: HelmRelease, name: x|sh.*}, patch: x}]`, fail: "has spec.patches"},
		{name: "patch of names that are no pattern", spec: here + `patches: [{target: {kind: HelmRelease, name: "("}, patch: x}]`, fail: "has spec.patches"},
		{name: "patch of a name with a variable", spec: here + `patches: [{target: {kind: HelmRelease, name: "${X}"}, patch: x}]`, fail: "has spec.patches"},
		{name: "patch that says another name", spec: here + `patches: [{patch: "{kind: HelmRelease, metadata: {name: other}}"}]`},
		{name: "patch that says no name", spec: here + `patches: [{patch: "{kind: HelmRelease}"}]`, fail: "has spec.patches"},
		{name: "target before name in the patch", spec: here + `patches: [{target: {kind: HelmRelease}, patch: "{kind: HelmRelease, metadata: {name: other}}"}]`, fail: "has spec.patches"},
		{name: "patch of two objects", spec: here + `patches: [{patch: "kind: HelmRelease\nmetadata: {name: other}\n---\nkind: HelmRelease\nmetadata: {name: shop}\n"}]`, fail: "has spec.patches"},
		{name: "patch of a renamed one", kustomization: "renamed/${cluster}", spec: `path: ./renamed/eu, patches: [{target: {kind: HelmRelease, name: shop}, patch: x}]`, fail: "has spec.patches"},
		{name: "patch of another one than is built", kustomization: "built/${cluster}", spec: `path: ./built/eu, patches: [{target: {kind: HelmRelease, name: other}, patch: x}]`},
		{name: "patch of a Kustomization", spec: here + `patches: [{target: {kind: Kustomization}, patch: x}]`, fail: "has spec.patches"},
		{name: "patchesStrategicMerge", spec: here + "patchesStrategicMerge: [{kind: HelmRelease}]", fail: "has spec.patchesStrategicMerge"},
		{name: "patchesJson6902", spec: here + "patchesJson6902: [{target: {kind: HelmRelease}}]", fail: "has spec.patchesJson6902"},
		{name: "images", spec: here + "images: [{name: x, newTag: y}]", fail: "has spec.images"},
		{name: "components", spec: here + "components: [../c]", fail: "has spec.components"},
		{name: "namePrefix", spec: here + "namePrefix: x-", fail: "has spec.namePrefix"},
		{name: "nameSuffix", spec: here + "nameSuffix: -x", fail: "has spec.nameSuffix"},
		{name: "targetNamespace", spec: here + "targetNamespace: other", fail: "has spec.targetNamespace"},
		{name: "targetNamespace of one that names none", meta: "{name: shop}", spec: here + "targetNamespace: other"},
		{name: "same targetNamespace", spec: here + "targetNamespace: shop"},

		{name: "variables as listed", variables: listed, release: "a: ${R}${NUM}", spec: here + `postBuild: {substitute: {R: eu, NUM: "3\n"}}`},
		{name: "another value", variables: listed, release: "a: ${NUM}", spec: here + `postBuild: {substitute: {NUM: "4"}}`, fail: "eu/flux.yaml:6:49: Kustomization flux-system/apps: substitutes NUM by another value than variables of spec.clustersFrom says for cluster eu"},
		{name: "said not to be substituted", variables: map[string]string{"NUM": "${NUM}"}, release: "a: ${NUM}", spec: here + `postBuild: {substitute: {NUM: "4"}}`, fail: "substitutes NUM by another value"},
		{name: "not listed and not used", variables: listed, release: "a: ${NUM}", spec: here + `postBuild: {substitute: {X: "4"}}`},
		{name: "not listed, with a default", variables: listed, release: "a: '${X:=5}'", spec: here + `postBuild: {substitute: {X: "4"}}`, fail: "substitutes X, which HelmRelease shop/shop uses and spec.clustersFrom does not list"},
		{name: "set by the parent", variables: listed, release: "a: ${NUM}", spec: here + `postBuild: {substitute: {R: "${R}"}}`},
		{name: "no text", variables: listed, spec: here + `postBuild: {substitute: {NUM: 3}}`, fail: "spec.postBuild.substitute.NUM: expected a string, found a number"},
		{name: "from elsewhere", variables: listed, release: "a: ${NUM}", spec: here + `postBuild: {substituteFrom: [{kind: ConfigMap, name: c}]}`},
		{name: "from elsewhere, with a default", variables: listed, release: "a: '${X:=5}'", spec: here + `postBuild: {substituteFrom: [{kind: ConfigMap, name: c}]}`, fail: "has spec.postBuild.substituteFrom, which may set X"},
		{name: "from a ConfigMap as listed", variables: listed, release: "a: ${NUM}", objects: vars("{NUM: \"3\\n\", R: eu}"), spec: here + `postBuild: {substituteFrom: [{kind: ConfigMap, name: c}]}`},
		{name: "from a ConfigMap, another value", variables: listed, release: "a: ${NUM}", objects: vars(`{NUM: "4"}`), spec: here + `postBuild: {substituteFrom: [{kind: ConfigMap, name: c}]}`, fail: "eu/objects.yaml:4:13: Kustomization flux-system/apps: substitutes NUM of ConfigMap flux-system/c by another value than variables of spec.clustersFrom says for cluster eu"},
		{name: "from a ConfigMap, not listed", variables: listed, release: "a: '${X:=5}'", objects: vars(`{X: "4"}`), spec: here + `postBuild: {substituteFrom: [{kind: ConfigMap, name: c}]}`, fail: "substitutes X of ConfigMap flux-system/c, which HelmRelease shop/shop uses"},
		{name: "from a ConfigMap, no text", variables: listed, objects: vars(`{NUM: 3}`), spec: here + `postBuild: {substituteFrom: [{kind: ConfigMap, name: c}]}`, fail: "NUM of ConfigMap flux-system/c: expected a string, found a number"},
		{name: "from a ConfigMap, in place first", variables: listed, release: "a: ${NUM}", objects: vars(`{NUM: "4"}`), spec: here + `postBuild: {substitute: {NUM: "3"}, substituteFrom: [{kind: ConfigMap, name: c}]}`},
		{name: "from a ConfigMap, a later one", variables: listed, release: "a: ${NUM}", objects: vars(`{NUM: "4"}`) + renamed("d", vars(`{NUM: "3"}`)), spec: here + `postBuild: {substituteFrom: [{kind: ConfigMap, name: c}, {kind: ConfigMap, name: d}]}`},
		{name: "from a ConfigMap, an earlier one", variables: listed, release: "a: ${NUM}", objects: vars(`{NUM: "4"}`) + renamed("d", vars(`{NUM: "3"}`)), spec: here + `postBuild: {substituteFrom: [{kind: ConfigMap, name: d}, {kind: ConfigMap, name: c}]}`, fail: "substitutes NUM of ConfigMap flux-system/c by another value"},
		{name: "from a ConfigMap of another namespace", variables: listed, release: "a: ${NUM}", objects: strings.ReplaceAll(vars(`{NUM: "4"}`), "flux-system", "x"), spec: here + `postBuild: {substituteFrom: [{kind: ConfigMap, name: c}]}`},
		{name: "from a ConfigMap with a variable", variables: listed, release: "a: ${NUM}", objects: vars(`{NUM: "${N}"}`), spec: here + `postBuild: {substituteFrom: [{kind: ConfigMap, name: c}]}`},
		{name: "from a Secret", variables: listed, release: "a: ${NUM}", objects: asSecret(vars(`{NUM: NA==}`)), spec: here + `postBuild: {substituteFrom: [{kind: Secret, name: c}]}`, fail: "substitutes NUM of Secret flux-system/c by another value"},
		{name: "from a Secret as listed", variables: listed, release: "a: ${NUM}", objects: asSecret(vars("{NUM: NA==}\nstringData: {NUM: '3'}")), spec: here + `postBuild: {substituteFrom: [{kind: Secret, name: c}]}`},
		{name: "from a Secret that is encrypted", variables: listed, release: "a: ${NUM}", objects: vars(`{NUM: "4"}`) + asSecret(vars("{NUM: 'ENC[AES256_GCM,data:x]'}\nsops: {mac: x}")), spec: here + `postBuild: {substituteFrom: [{kind: ConfigMap, name: c}, {kind: Secret, name: c}]}`},
		{name: "escape", release: "a: a$$b", spec: here + `postBuild: {substitute: {X: "4"}}`, fail: `substitutes variables, by which "$$" in HelmRelease shop/shop becomes "$"`},
		{name: "variables elsewhere", variables: listed, release: "a: ${NUM}", spec: `path: ./infra, postBuild: {substitute: {NUM: "4"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.cluster == "" {
				tt.cluster = "eu"
			}
			tt.file = cmp.Or(tt.file, "apps/eu/shop.yaml")
			fsys := fstest.MapFS{}
			for file, text := range map[string]string{
				tt.file: "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: " + cmp.Or(tt.meta, "{name: shop, namespace: shop}") + "\nspec:\n" +
					"  chart: {spec: {chart: c, sourceRef: {kind: HelmRepository, name: r}}}\n  values:\n    " + tt.release + "\n",
				tt.cluster + "/flux.yaml": "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps, namespace: flux-system}\nspec:\n  {\n    " +
					tt.spec + "}\n---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: more}\nspec: {" + tt.more + "}\n---\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nmetadata: {name: x}\nspec: {" + patch + "}\n",
				"eu/sources.yaml": "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: this}\nspec: {url: 'https://example.com/here.git'}\n---\n" +
					"apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: other}\nspec: {url: 'https://example.com/other'}\n",
				"infra/x.yaml":                       "a: 1\n",
				"built/eu/kustomization.yaml":        "resources: [../../apps/eu]\n",
				"renamed/eu/kustomization.yaml":      "{namePrefix: x-, resources: [../../apps/eu]}\n",
				"eu/objects.yaml":                    tt.objects,
				"deploy/shop/kustomization.yaml":     "resources: [../../apps/eu]\n",
				"nested/eu/kustomization.yml":        "resources: [x.yaml]\n",
				"nested/eu/x.yaml":                   "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n",
				"plain/b/x.yaml":                     "a: 1\n",
				"overlays/eu/kustomization.yaml":     "resources: [../../apps/eu]\n",
				"apps/eu/kustomization.yaml":         "resources: [shop.yaml]\n",
				"overlays/other/kustomization.yaml":  "resources: [x.yaml]\n",
				"overlays/other/x.yaml":              "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n",
				"overlays/broken/kustomization.yaml": "resources: [https://example.com/x]\n",
			} {
				fsys[file] = &fstest.MapFile{Data: []byte(text)}
			}
			g := &gate.Gate{File: "syncgate.yaml"}
			g.Spec.ClustersFrom = []gate.ClustersFrom{{Files: []string{strings.Replace(tt.file, "/eu/", "/${cluster}/", 1), "${cluster}/*.yaml"}, Variables: tt.variables, Repository: tt.repository}}
			if from := &g.Spec.ClustersFrom[0]; tt.kustomization != "" {
				from.Files, from.Kustomizations, from.Kind = []string{"${cluster}/*.yaml"}, []string{tt.kustomization}, kindHelmRelease
			}
			_, err := Expand(t.Context(), tree.New(fsys), g, values.Limits{})
			switch {
			case tt.fail == "" && err != nil:
				t.Error(err)
			case tt.fail != "" && (err == nil || !strings.Contains(err.Error(), tt.fail)):
				t.Errorf("got %v; want %s", err, tt.fail)
			}
		})
	}
}

// vars is a ConfigMap of variables as one document.
func vars(data string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: flux-system}\ndata: " + data + "\n---\n"
}

func renamed(name, text string) string {
	return strings.Replace(text, "{name: c,", "{name: "+name+",", 1)
}

func asSecret(text string) string { return strings.Replace(text, kindConfigMap, kindSecret, 1) }

// TestFluxKustomizationIsBuiltOnce: every HelmRelease asks what a Flux
// Kustomization applies, and a build of many files takes long.
func TestFluxKustomizationIsBuiltOnce(t *testing.T) {
	const built = "apps/kustomization.yaml"
	reads := func(releases int) int {
		fsys := &countedFS{MapFS: fstest.MapFS{
			"apps/x.yaml": {Data: []byte("{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n")},
			built:         {Data: []byte("resources: [x.yaml]\n")},
			"flux.yaml": {Data: []byte("apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps}\n" +
				"spec: {path: ./apps, namePrefix: x-}\n---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: again}\n" +
				"spec: {path: ./apps, namePrefix: x-}\n")},
		}, name: built}
		for i := range releases {
			fsys.MapFS[fmt.Sprintf("c%d.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"+
				"metadata: {name: c%d}\nspec: {chart: {spec: {chart: c, sourceRef: {kind: HelmRepository, name: r}}}}\n", i)}
		}
		g := &gate.Gate{File: "syncgate.yaml"}
		g.Spec.ClustersFrom = []gate.ClustersFrom{{Files: []string{"*.yaml"}}}
		if _, err := Expand(t.Context(), tree.New(fsys), g, values.Limits{}); err != nil {
			t.Fatal(err)
		}
		return fsys.opened
	}
	if one, many := reads(1), reads(20); one == 0 || one != many {
		t.Errorf("%s is opened %d times for one HelmRelease, %d times for 20", built, one, many)
	}
}

// countedFS counts how often a file is opened.
type countedFS struct {
	fstest.MapFS
	name   string
	opened int
}

// Open implements fs.FS.
func (c *countedFS) Open(name string) (fs.File, error) {
	if name == c.name {
		c.opened++
	}
	return c.MapFS.Open(name)
}
