// Package tools finds, and where needed builds, the programs that tests and
// the demo start: etcd, kube-apiserver, helm and their kind. Every family has
// its own module in a folder below this one, so that the product's go.mod
// stays clean; the version that is built is the one its go.mod requires.
package tools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// module is what go.mod at the top of this repository calls it.
const module = "github.com/syncgate/syncgate"

// assetsVariable names the folder in which people keep etcd, kube-apiserver
// and kubectl for controller-runtime's tests; what lies there is not built.
const assetsVariable = "KUBEBUILDER_ASSETS"

// tool says how one program is built.
type tool struct {
	family string   // folder below test/tools that holds its go.mod
	module string   // module whose version it carries
	pkg    string   // package to build
	tags   string   // build tags
	stamp  []string // packages whose version variables are set by the linker
	asset  bool     // may come from KUBEBUILDER_ASSETS
}

// table holds every program by name.
func table() map[string]tool {
	kube := func(name string) tool {
		return tool{
			family: "kubernetes", module: "k8s.io/kubernetes", pkg: "k8s.io/kubernetes/cmd/" + name,
			stamp: []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"},
			asset: true,
		}
	}
	const etcd = "go.etcd.io/etcd/server/v3"
	const minio = "github.com/minio/minio"
	const argo2, argo3 = "github.com/argoproj/argo-cd/v2", "github.com/argoproj/argo-cd/v3"
	const lint = "github.com/golangci/golangci-lint/v2"
	return map[string]tool{
		"etcd":                    {family: "etcd", module: etcd, pkg: etcd, asset: true},
		"kube-apiserver":          kube("kube-apiserver"),
		"kube-controller-manager": kube("kube-controller-manager"),
		"kube-scheduler":          kube("kube-scheduler"),
		"kubectl":                 kube("kubectl"),
		"helm":                    {family: "helm", module: "helm.sh/helm/v3", pkg: "helm.sh/helm/v3/cmd/helm"},
		"conftest":                {family: "conftest", module: "github.com/open-policy-agent/conftest", pkg: "github.com/open-policy-agent/conftest"},
		"argocd2":                 {family: "argocd2", module: argo2, pkg: argo2 + "/cmd"},
		"argocd3":                 {family: "argocd3", module: argo3, pkg: argo3 + "/cmd"},
		"minio":                   {family: "minio", module: minio, pkg: minio, tags: "kqueue"},
		"golangci-lint":           {family: "golangci-lint", module: lint, pkg: lint + "/cmd/golangci-lint"},
	}
}

// Names lists the programs there are, sorted.
func Names() []string {
	var names []string
	for name := range table() {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Path is an executable of the named program: the one in KUBEBUILDER_ASSETS,
// else <repository>/.cache/tools/<name>@<version>, else it is built there,
// which takes minutes for the large ones and tells its progress to log. Two
// processes never build at the same time: the second waits for the first.
func Path(ctx context.Context, name string, log io.Writer) (string, error) {
	t, ok := table()[name]
	if !ok {
		return "", fmt.Errorf("find tool %q: expected one of %s", name, strings.Join(Names(), ", "))
	}
	if t.asset {
		if path := asset(name, log); path != "" {
			return path, nil
		}
	}
	root, err := Root()
	if err != nil {
		return "", fmt.Errorf("find tool %s: %w", name, err)
	}
	dir := filepath.Join(root, "test", "tools", t.family)
	version, err := version(filepath.Join(dir, "go.mod"), t.module)
	if err != nil {
		return "", fmt.Errorf("find tool %s: %w", name, err)
	}
	path := filepath.Join(root, ".cache", "tools", name+"@"+version)
	if executable(path) {
		return path, nil
	}
	b := builder{name: name, tool: t, version: version, dir: dir, path: path, log: log}
	if err := b.run(ctx); err != nil {
		return "", fmt.Errorf("build tool %s %s: %w", name, version, err)
	}
	return path, nil
}

// Root is the top folder of this repository, found upwards from the current
// folder.
func Root() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && modfile.ModulePath(data) == module {
			return dir, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find the repository: expected a go.mod of %s in %s or above it; run inside a clone", module, wd)
		}
	}
}

// asset is the program's path in KUBEBUILDER_ASSETS, "" when there is none.
func asset(name string, log io.Writer) string {
	dir := os.Getenv(assetsVariable)
	if dir == "" {
		return ""
	}
	path := filepath.Join(dir, name)
	if !executable(path) {
		_, _ = fmt.Fprintf(log, "%s=%s has no executable %s; using the one built here\n", assetsVariable, dir, name)
		return ""
	}
	return path
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// version reads from a go.mod which version of a module it requires.
func version(file, mod string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	parsed, err := modfile.Parse(file, data, nil)
	if err != nil {
		return "", err
	}
	for _, r := range parsed.Require {
		if r.Mod.Path == mod && semver.IsValid(r.Mod.Version) {
			return r.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("read %s: expected a require of %s, found none", file, mod)
}
