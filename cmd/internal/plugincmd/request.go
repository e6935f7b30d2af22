package plugincmd

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/internal/rootfs"
	"github.com/syncgate/syncgate/plugin"
	"github.com/syncgate/syncgate/plugin/render"
)

// sourcePath is the variable in which Argo CD says the Application's path.
const sourcePath = "ARGOCD_APP_SOURCE_PATH"

// stockWork is the folder in which the stock plugin server unpacks each request
// to a folder of its own.
const stockWork = "_cmp_server"

// options are the flags of `syncgate cmp`. Where a flag is not given, Argo
// CD's environment says.
type options struct {
	root        string
	gate        string
	cluster     string
	app         string
	namespace   string
	repository  string
	revision    string
	kubeVersion string
	apiVersions []string
	// anyParameters asks whatever the Application's parameters are.
	anyParameters bool
}

func (o *options) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.root, "root", "", "the repository's root (default: from ARGOCD_APP_SOURCE_PATH, else the nearest folder above with .git, else PATH)")
	f.StringVar(&o.gate, "gate", "", "the Gate: its name, or the path of its file relative to PATH (default: the one PATH belongs to)")
	f.StringVar(&o.cluster, "cluster", "", "the cluster to render (default: the only one with values under PATH)")
}

func (o *options) addRenderFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.app, "app", "", "the Application's name (default: ARGOCD_APP_NAME)")
	f.StringVar(&o.namespace, "namespace", "", "the Application's destination namespace (default: ARGOCD_APP_NAMESPACE)")
	f.StringVar(&o.repository, "repository", "", "the repository's URL (default: ARGOCD_APP_SOURCE_REPO_URL)")
	f.StringVar(&o.revision, "revision", "", "the full commit SHA that is rendered (default: ARGOCD_APP_REVISION)")
	f.StringVar(&o.kubeVersion, "kube-version", "", "the cluster's Kubernetes version (default: KUBE_VERSION, else "+render.DefaultKubeVersion+")")
	f.StringSliceVar(&o.apiVersions, "api-versions", nil, "more API versions of the cluster (default: KUBE_API_VERSIONS)")
}

// request is what is asked for, with the repository it is asked of. Flags win
// over what Argo CD's environment says.
func (o *options) request(args []string) (*rootfs.Root, plugin.Request, error) {
	req, err := plugin.RequestFromEnv(os.Getenv)
	if err != nil && !o.anyParameters {
		return nil, plugin.Request{}, err
	}
	tree, dir, err := o.open(args)
	if err != nil {
		return nil, plugin.Request{}, err
	}
	req.Dir = dir
	if source, ok := os.LookupEnv(sourcePath); ok && o.root == "" {
		req.Root = plugin.Narrowed(source, dir)
		req.Dir = path.Join(req.Root, dir)
	}
	req.Gate = cmp.Or(o.gate, req.Gate)
	req.Cluster = cmp.Or(o.cluster, req.Cluster)
	req.App = cmp.Or(o.app, req.App)
	req.Namespace = cmp.Or(o.namespace, req.Namespace)
	req.Repository = cmp.Or(o.repository, req.Repository)
	req.Revision = cmp.Or(o.revision, req.Revision)
	req.Capabilities.KubeVersion = cmp.Or(o.kubeVersion, req.Capabilities.KubeVersion)
	if len(o.apiVersions) > 0 {
		req.Capabilities.APIVersions = o.apiVersions
	}
	return tree, req, nil
}

// open opens the repository, out of which nothing leads, and says where in it
// the Application lies.
func (o *options) open(args []string) (*rootfs.Root, string, error) {
	at := "."
	if len(args) > 0 {
		at = args[0]
	}
	at, err := filepath.Abs(at)
	if err != nil {
		return nil, "", fmt.Errorf("find path: %w", err)
	}
	root, err := o.findRoot(at)
	if err != nil {
		return nil, "", err
	}
	dir, err := filepath.Rel(root, at)
	if err != nil || dir == ".." || strings.HasPrefix(dir, "../") {
		return nil, "", fmt.Errorf("find path: %s is not inside of the repository %s; give another --root or PATH", at, root)
	}
	tree, err := rootfs.Open(root)
	if err != nil {
		return nil, "", fmt.Errorf("open repository: %w; give another --root or PATH", err)
	}
	if info, err := tree.Stat(dir); err != nil || !info.IsDir() {
		_ = tree.Close()
		return nil, "", fmt.Errorf("find path: %s: expected a folder; give another PATH", at)
	}
	return tree, filepath.ToSlash(dir), nil
}

// findRoot is the repository's root above the folder at.
func (o *options) findRoot(at string) (string, error) {
	if o.root != "" {
		root, err := filepath.Abs(o.root)
		if err != nil {
			return "", fmt.Errorf("find root: %w", err)
		}
		return root, nil
	}
	if source, ok := os.LookupEnv(sourcePath); ok {
		return rootAbove(at, source)
	}
	for dir := at; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return at, nil
		}
	}
}

// rootAbove is the folder in which at has the path source. Argo CD's plugin
// server unpacks a repository, or the part of it that was sent, to a folder of
// its own and runs the plugin in the Application's path.
func rootAbove(at, source string) (string, error) {
	source = filepath.Clean(source)
	if !filepath.IsLocal(source) {
		return "", fmt.Errorf("find root: %s %q leaves the repository; correct the Application's path", sourcePath, source)
	}
	if source == "." {
		return at, nil
	}
	root := at
	for range strings.Split(filepath.ToSlash(source), "/") {
		root = filepath.Dir(root)
	}
	want, err := os.Stat(filepath.Join(root, source))
	have, err2 := os.Stat(at)
	if err2 != nil {
		return "", fmt.Errorf("find root: %w", err2)
	}
	if err == nil && os.SameFile(want, have) {
		return root, nil
	}
	if root, ok := unpackedTo(at, source); ok {
		return root, nil
	}
	return "", fmt.Errorf("find root: %s is not the Application's path %s in a repository; run it there, or give --root", at, source)
}

// unpackedTo is the folder above at to which the stock plugin server unpacked a
// part of the repository, in which at has the last parts of source.
func unpackedTo(at, source string) (string, bool) {
	for root := at; root != filepath.Dir(root); root = filepath.Dir(root) {
		if filepath.Base(filepath.Dir(root)) != stockWork {
			continue
		}
		dir, err := filepath.Rel(root, at)
		return root, err == nil && (dir == "." || strings.HasSuffix("/"+filepath.ToSlash(source), "/"+filepath.ToSlash(dir)))
	}
	return "", false
}
