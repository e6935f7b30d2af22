package story

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/yaml"

	"github.com/syncgate/syncgate/hooks/backup"
	"github.com/syncgate/syncgate/hooks/clusters"
	"github.com/syncgate/syncgate/hooks/config"
	"github.com/syncgate/syncgate/plugin/inject"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/test/harness"
	"github.com/syncgate/syncgate/test/product"
)

// world is what the story happens in.
type world struct {
	eu, us *standIn
	forge  *forge
	server *harness.Process
	url    string // of the server
	caFile string // whom to trust for it
	repo   *repo
	change *rendered // the upgrade, for eu
	// mattermost is the address of what answers for Mattermost's API.
	mattermost string

	stops []func() error
}

// stop stops what runs beside the stage's own processes, the newest first.
func (w *world) stop() error {
	var errs []error
	for i := len(w.stops) - 1; i >= 0; i-- {
		errs = append(errs, w.stops[i]())
	}
	w.stops = nil
	return errors.Join(errs...)
}

// clusters are both.
func (w *world) clusters() []*standIn { return []*standIn{w.eu, w.us} }

func (s *Story) introduce(context.Context) error {
	s.screen.title("Syncgate: one change of a values file, all the way")
	s.screen.say("Mattermost runs on two clusters, eu and us, delivered from one Git repository. " +
		"An upgrade drifts, is fixed, waits for a backup, is applied, fails, and reverts itself.")
	s.screen.title("What is real")
	s.screen.item("clusters", "two Kubernetes API servers (kube-apiserver and etcd), with RBAC and admission")
	s.screen.item("Git", "a bare repository, served by git over smart HTTP")
	s.screen.item("Syncgate", "the programs that make built: bin/syncgate and bin/syncgate-server")
	s.screen.item("permissions", "what charts/syncgate installs on each cluster, and nothing more")
	s.screen.item("tokens", "ServiceAccount tokens from each cluster's TokenRequest API, for audience syncgate")
	s.screen.title("What stands in for something")
	s.screen.item("Argo CD", "the demo runs the commands that Argo CD would, in Argo CD's order")
	s.screen.item("the operator", "and the kubelet: a few lines that write status; no container runs")
	s.screen.item("Mattermost", "a few lines that answer /api/v4/system/ping as a healthy server does")
	s.screen.item("GitHub", "a small server with GitHub's REST API over the same bare repository")
	s.screen.item("backups", "files in a folder, in place of a bucket")
	return nil
}

// start starts everything that runs all the time.
func (s *Story) start(ctx context.Context) error {
	s.screen.step("Start two clusters, a Git server and Syncgate")
	eu, us := &standIn{namespace: namespace}, &standIn{namespace: namespace}
	s.eu, s.us = eu, us
	if err := os.MkdirAll(s.stage.Path("server"), 0o700); err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	// The tools first: two clusters would both tell of building them.
	for _, tool := range []string{"etcd", "kube-apiserver"} {
		if _, err := harness.Tool(ctx, tool, s.opts.Log); err != nil {
			return err
		}
	}
	for name, k := range map[string]*standIn{"eu": eu, "us": us} {
		group.Go(func() (err error) {
			k.ControlPlane, err = harness.StartControlPlane(gctx, harness.Options{Name: name, Dir: s.stage.Path(name), Log: s.opts.Log})
			return err
		})
	}
	err := group.Wait()
	for _, k := range s.clusters() {
		if k.ControlPlane != nil {
			s.stops = append(s.stops, k.Stop)
		}
	}
	if err != nil {
		return err
	}
	for _, k := range s.clusters() {
		if err := s.prepare(ctx, k); err != nil {
			return fmt.Errorf("prepare cluster %s: %w", k.Name, err)
		}
		s.screen.item("cluster "+k.Name, "%s  (KUBECONFIG=%s)", k.Config.Host, k.Kubeconfig)
	}
	if err := s.startMattermost(ctx); err != nil {
		return err
	}
	if err := s.startForge(ctx); err != nil {
		return err
	}
	s.screen.item("repository", "%s", s.repo.url)
	if err := s.startServer(ctx); err != nil {
		return err
	}
	s.screen.item("Syncgate", "%s", s.url)
	return nil
}

// prepare makes a cluster what it would be before Mattermost is installed.
func (s *Story) prepare(ctx context.Context, k *standIn) error {
	if err := k.nodesReady(ctx); err != nil {
		return err
	}
	crd, err := os.ReadFile(filepath.Join(s.opts.Root, "test", "demo", "story", "mattermost-crd.yaml"))
	if err != nil {
		return err
	}
	if err := k.ApplyYAML(ctx, crd, harness.ApplyOptions{}); err != nil {
		return err
	}
	if err := k.Namespace(ctx, namespace); err != nil {
		return err
	}
	k.access, err = s.installAccount(ctx, k)
	return err
}

// startServer writes the server's configuration and starts it.
func (s *Story) startServer(ctx context.Context) error {
	cert, key, ca, err := harness.ServingCertificate(s.stage.Path("server", "tls"))
	if err != nil {
		return err
	}
	s.caFile = ca
	tokenFile := s.stage.Path("server", "forge-token")
	if err := os.WriteFile(tokenFile, []byte(s.forge.token), 0o600); err != nil {
		return err
	}
	client, err := product.Trusting(ca)
	if err != nil {
		return err
	}
	file := s.stage.Path("server", "config.yaml")
	return harness.WithPorts(1, func(ports []int) error {
		address := fmt.Sprintf("127.0.0.1:%d", ports[0])
		s.url = "https://" + address
		cfg := s.config(address, &config.TLS{CertFile: cert, KeyFile: key}, tokenFile)
		text, err := yaml.Marshal(cfg)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return err
		}
		s.server, err = s.stage.Start(ctx, harness.Command{
			Name: "syncgate-server", Path: filepath.Join(s.opts.Bin, product.ServerProgram), Args: []string{"--config", file},
			Env:   environment(nil),
			Ready: product.Ready(client, s.url+"/readyz"),
		})
		return err
	})
}

// config is the server's configuration.
func (s *Story) config(address string, tls *config.TLS, tokenFile string) config.Config {
	cfg := config.Config{
		Listen: address, TLS: tls, PublicURL: s.url,
		Database: config.Database{Path: s.stage.Path("server", "syncgate.db")},
		CacheDir: s.stage.Path("server", "git"),
		Repositories: []config.Repository{{
			Name: "gitops", URL: s.repo.url, TokenFile: tokenFile,
			Forge: config.Forge{GitHub: &config.GitHub{APIURL: s.forge.api, Owner: owner, Repo: repoName}},
		}},
		Stores: []backup.StoreOptions{{Name: store, Folder: &backup.FolderOptions{Path: s.stage.Path("backups")}}},
		// A check does not ask this machine unless it is told that it may.
		Checks: config.Checks{HTTPAllowHosts: []string{strings.TrimPrefix(s.mattermost, "http://")}},
		Limits: config.Limits{MinInterval: gate.Duration(time.Second)},
	}
	for _, k := range s.clusters() {
		cfg.Clusters = append(cfg.Clusters, clusters.Options{
			Name: k.Name, Kubeconfig: &clusters.KubeconfigOptions{Path: k.access},
			HookSubjects: []string{namespace + "/" + inject.DefaultServiceAccount},
		})
	}
	return cfg
}
