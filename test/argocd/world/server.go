package world

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // Server.Count
	"sigs.k8s.io/yaml"

	"github.com/syncgate/syncgate/hooks/backup"
	"github.com/syncgate/syncgate/hooks/clusters"
	"github.com/syncgate/syncgate/hooks/config"
	"github.com/syncgate/syncgate/plugin/inject"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/product"
)

// Server is the gate server. It can be stopped and started again; its address
// and its database stay.
type Server struct {
	*harness.Process
	// URL is its address, and CAFile whom to trust for it.
	URL, CAFile string

	stage    *harness.Stage
	command  harness.Command
	database string
}

// hookConfig is what the plugin is told of hook Jobs.
type hookConfig struct{ server, caFile string }

// store is the name of the backups' store in the Gates.
const store = "mattermost"

func (w *World) startServer(ctx context.Context, opts Options) error {
	cert, key, ca, err := harness.ServingCertificate(w.stage.Path("server", "tls"))
	if err != nil {
		return err
	}
	client, err := product.Trusting(ca)
	if err != nil {
		return err
	}
	tokenFile := w.stage.Path("server", "github-token")
	if err := os.WriteFile(tokenFile, []byte(w.token), 0o600); err != nil {
		return err
	}
	file := w.stage.Path("server", "config.yaml")
	return harness.WithPorts(1, func(ports []int) error {
		address := fmt.Sprintf("127.0.0.1:%d", ports[0])
		cfg := w.config(address, opts, tokenFile)
		cfg.TLS = &config.TLS{CertFile: cert, KeyFile: key}
		if cfg.Admission, err = w.admissionOf(); err != nil {
			return err
		}
		bucket, err := w.bucketStore()
		if err != nil {
			return err
		}
		cfg.Stores = append(cfg.Stores, bucket)
		if opts.Configure != nil {
			opts.Configure(&cfg)
		}
		text, err := yaml.Marshal(cfg)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return err
		}
		w.Server = &Server{URL: cfg.PublicURL, CAFile: ca, stage: w.stage, database: cfg.Database.Path}
		w.hooks = hookConfig{server: cfg.PublicURL, caFile: ca}
		w.Server.command = harness.Command{
			Name: "syncgate-server", Path: filepath.Join(w.programs, product.ServerProgram), Args: []string{"--config", file},
			Env: environment(), Ready: product.Ready(client, cfg.PublicURL+"/readyz"),
		}
		return w.Server.Start(ctx)
	})
}

// Start starts the server, also again after Process.Stop or Process.Kill.
func (s *Server) Start(ctx context.Context) (err error) {
	s.Process, err = s.stage.Start(ctx, s.command)
	return err
}

// Count asks the server's database, beside the server.
func (s *Server) Count(ctx context.Context, query string, args ...any) (n int, err error) {
	db, err := sql.Open("sqlite", "file:"+s.database+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, err
}

func (w *World) config(address string, opts Options, tokenFile string) config.Config {
	cfg := config.Config{
		Listen: address, PublicURL: "https://" + address,
		Database: config.Database{Path: w.stage.Path("server", "syncgate.db")},
		CacheDir: w.stage.Path("server", "git"),
		Stores:   []backup.StoreOptions{{Name: store, Folder: &backup.FolderOptions{Path: w.stage.Path("backups")}}},
		// A check does not ask this machine unless it is told that it may.
		Checks: config.Checks{HTTPAllowHosts: []string{strings.TrimPrefix(w.app, "http://")}},
		Limits: config.Limits{MinInterval: gate.Duration(time.Second)},
		// What an organisation asks of every Gate.
		Minimums:     config.Minimums{PreSync: []gate.Check{{Name: "nodes", Nodes: &gate.NodesCheck{}}}},
		Applications: []config.Applications{{Cluster: w.EU.Name, Namespace: harness.ArgoNamespace}},
	}
	for _, name := range opts.Sites {
		cfg.Repositories = append(cfg.Repositories, config.Repository{
			Name: name, URL: w.sites[name].URL, TokenFile: tokenFile,
			Forge: config.Forge{GitHub: &config.GitHub{APIURL: w.GitHubURL + "/api/v3/", Owner: Owner, Repo: name}},
		})
	}
	for _, c := range w.Clusters() {
		o := clusters.Options{Name: c.Name, Kubeconfig: &clusters.KubeconfigOptions{Path: c.access}}
		for _, name := range opts.Sites {
			o.HookSubjects = append(o.HookSubjects, name+"/"+inject.DefaultServiceAccount)
		}
		cfg.Clusters = append(cfg.Clusters, o)
	}
	return cfg
}

// environment is this process's, without what would change what the programs
// do, and with more.
func environment(more ...string) []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "ARGOCD_") && !strings.HasPrefix(name, "SYNCGATE_") && !strings.HasPrefix(name, "PARAM_") && name != "KUBECONFIG" {
			env = append(env, entry)
		}
	}
	return append(env, more...)
}
