// Package config is the gate server's configuration file. Reading it is pure:
// it looks at nothing but the bytes it is given, and names every mistake by
// file, line and column.
package config

import (
	"path/filepath"

	"github.com/syncgate/syncgate/hooks/backup"
	"github.com/syncgate/syncgate/hooks/clusters"
	"github.com/syncgate/syncgate/policies/gate"
)

// Config is the whole file. Relative paths in it are relative to the file's
// folder.
type Config struct {
	// Listen is the address to serve on, "host:port". Default ":8443".
	Listen string `json:"listen,omitempty"`
	// TLS is how the server proves who it is. Required unless Insecure.
	TLS *TLS `json:"tls,omitempty"`
	// Insecure serves plain http: tokens can be read on the way. Only for a
	// server behind something that ends TLS on the same machine, and tests.
	Insecure bool `json:"insecure,omitempty"`
	// PublicURL is where people see the pages of Runs; it is what pull requests
	// link to. Default: none, and no links.
	PublicURL string `json:"publicURL,omitempty"`
	// Page serves the pages of Runs.
	Page Page `json:"page,omitempty"`
	// Database is where Runs are kept.
	Database Database `json:"database"`
	// CacheDir holds what is fetched from Git. It may be lost at any time.
	CacheDir string `json:"cacheDir"`
	// Repositories are what Gates are read from, at least one.
	Repositories []Repository `json:"repositories"`
	// Webhooks are what forges send, so that pull requests are judged. Default:
	// none are taken.
	Webhooks Webhooks `json:"webhooks,omitempty"`
	// Clusters are where Changes come from and checks ask, at least one entry.
	Clusters []clusters.Options `json:"clusters"`
	// Applications are the Argo CDs whose syncs are watched, so that one which
	// went past its hooks is seen.
	Applications []Applications `json:"applications,omitempty"`
	// Stores are where backups lie.
	Stores []backup.StoreOptions `json:"stores,omitempty"`
	// Minimums are checks that every Gate has. A Gate can add to them and not
	// weaken them.
	Minimums Minimums `json:"minimums,omitempty"`
	// Admission lets API servers ask before they change guarded objects.
	Admission Admission `json:"admission,omitempty"`
	// Checks bounds what checks may reach.
	Checks Checks `json:"checks,omitempty"`
	// Limits bound the server. Fields that are not set take their defaults.
	Limits Limits `json:"limits,omitempty"`
	// Log says what is logged. Logs are JSON on standard error.
	Log Log `json:"log,omitempty"`
}

// Page serves the pages of Runs, read-only and to whoever can reach them.
type Page struct {
	// Listen is the address, "host:port". Default: none, and no pages.
	Listen string `json:"listen,omitempty"`
}

// Applications are those of one Argo CD.
type Applications struct {
	// Cluster is where that Argo CD runs: one of the clusters' names.
	Cluster string `json:"cluster"`
	// Namespace holds them. Default "argocd".
	Namespace string `json:"namespace,omitempty"`
	// Plugin is what Applications call Syncgate's plugin. Default "syncgate".
	Plugin string `json:"plugin,omitempty"`
}

// TLS names the server's certificate, PEM. The files are read again when they
// change.
type TLS struct {
	CertFile string `json:"certFile"`
	KeyFile  string `json:"keyFile"`
}

// Database says where Runs are kept.
type Database struct {
	// Path is the SQLite file; it is made when there is none. One server at a
	// time may use it.
	Path string `json:"path"`
	// Retention is how long finished Runs and the audit log are kept. Default
	// 2160h, 90 days.
	Retention gate.Duration `json:"retention,omitempty"`
}

// Repository is a Git repository that Gates are read from.
type Repository struct {
	// Name is the server's own name for it. Runs are kept under it.
	Name string `json:"name"`
	// URL is how the server reaches it, without credentials.
	URL string `json:"url"`
	// Aliases are other URLs by which hook Jobs name it. Scheme, user and a
	// trailing ".git" do not matter and need no alias.
	Aliases []string `json:"aliases,omitempty"`
	// Branch is the branch that is synced, unless a Gate names another.
	// Default "main".
	Branch string `json:"branch,omitempty"`
	// TokenFile holds the password or token for https.
	TokenFile string `json:"tokenFile,omitempty"`
	// Username goes with the token. Default "x-access-token".
	Username string `json:"username,omitempty"`
	// CAFile holds certificates to trust for this repository, PEM.
	CAFile string `json:"caFile,omitempty"`
	// SSH is how to log in over ssh.
	SSH *SSH `json:"ssh,omitempty"`
	// Forge is where the revert pull requests are opened.
	Forge Forge `json:"forge"`
}

// SSH is how to log in over ssh. Host keys are always checked.
type SSH struct {
	KeyFile        string `json:"keyFile"`
	KnownHostsFile string `json:"knownHostsFile"`
}

// Forge is exactly one of its fields.
type Forge struct {
	// GitHub is github.com or a GitHub Enterprise Server.
	GitHub *GitHub `json:"github,omitempty"`
	// Plain pushes the branch and writes the pull request's text to a file.
	Plain *Plain `json:"plain,omitempty"`
}

// GitHub is a repository's place on GitHub.
type GitHub struct {
	// APIURL is the REST API. Default github.com's; for GitHub Enterprise
	// "https://HOST/api/v3/".
	APIURL string `json:"apiURL,omitempty"`
	// Owner and Repo name the repository. Default: the last two parts of the
	// repository's URL.
	Owner string `json:"owner,omitempty"`
	Repo  string `json:"repo,omitempty"`
	// TokenFile holds a token that may write contents, pull requests and
	// issues. Default: the repository's tokenFile, unless there is an App.
	TokenFile string `json:"tokenFile,omitempty"`
	// App is a GitHub App that is installed for the repository, instead of a
	// token. Its tokens also fetch, where the repository has none.
	App *GitHubApp `json:"app,omitempty"`
}

// GitHubApp is a GitHub App and where it is installed.
type GitHubApp struct {
	// ID is the App's.
	ID int64 `json:"id"`
	// Installation is the ID of the installation. Default: GitHub is asked.
	Installation int64 `json:"installation,omitempty"`
	// KeyFile holds the App's private key, PEM. It is read for each token.
	KeyFile string `json:"keyFile"`
}

// Webhooks are what forges send to the server.
type Webhooks struct {
	// GitHub is what GitHub sends to /webhooks/github.
	GitHub *GitHubWebhooks `json:"github,omitempty"`
}

// GitHubWebhooks is how GitHub's deliveries are known.
type GitHubWebhooks struct {
	// SecretFile holds what deliveries are signed with, one secret a line, at
	// least 32 bytes each: two while one replaces the other, four at most.
	SecretFile string `json:"secretFile"`
}

// Plain is a plain Git server.
type Plain struct {
	// Dir is the folder the pull requests' texts are written to.
	Dir string `json:"dir"`
}

// Minimums are checks in the form a Gate has them, without "use".
type Minimums struct {
	PreSync  []gate.Check `json:"preSync,omitempty"`
	PostSync []gate.Check `json:"postSync,omitempty"`
	// Revert names the preSync checks of this list that a proved revert still
	// needs; "[]" is none of them. Default: all, so a required backup blocks a
	// revert too.
	Revert []string `json:"revert,omitempty"`
	// Guards are guards that hold whatever Gates say.
	Guards []MinimumGuard `json:"guards,omitempty"`
}

// MinimumGuard is a guard and the Gate whose Runs cover it.
type MinimumGuard struct {
	// Repository is the server's name of the repository, Gate the Gate's name.
	Repository string `json:"repository"`
	Gate       string `json:"gate"`
	// Clusters it holds on. Default: all.
	Clusters []string `json:"clusters,omitempty"`
	// Namespace of the objects.
	Namespace string `json:"namespace"`
	// Guard is in the form a Gate has it.
	Guard gate.Guard `json:"guard"`
}

// Admission lets API servers ask before they change guarded objects.
type Admission struct {
	// Clusters are those whose API servers may ask.
	Clusters []AdmissionCluster `json:"clusters,omitempty"`
}

// AdmissionCluster is how the API server of a cluster shows who it is: by a
// client certificate or a token.
type AdmissionCluster struct {
	// Name is what Gates call the cluster.
	Name string `json:"name"`
	// ClientCAFile holds the authorities of its client certificate, PEM.
	ClientCAFile string `json:"clientCAFile,omitempty"`
	// ClientNames are the common names the certificate may have. Default: any.
	ClientNames []string `json:"clientNames,omitempty"`
	// TokenFile holds tokens, one a line, at least 32 bytes each.
	TokenFile string `json:"tokenFile,omitempty"`
	// TokenInPath takes the token as the end of the URL's path too, for API
	// servers that can be given no credentials.
	TokenInPath bool `json:"tokenInPath,omitempty"`
}

// Log says what is logged.
type Log struct {
	// Level is debug, info (the default), warn or error.
	Level string `json:"level,omitempty"`
}

// Checks bounds what checks may reach.
type Checks struct {
	// HTTPAllowHosts are hosts, or "host:port", that http checks may ask
	// although they are on this machine or this link (loopback, link-local and
	// metadata addresses), which is refused otherwise.
	HTTPAllowHosts []string `json:"httpAllowHosts,omitempty"`
}

// Limits bound the server.
type Limits struct {
	// Runs is how many Runs are worked on at one moment. Default 32.
	Runs int `json:"runs,omitempty"`
	// ChecksPerRun is how many checks of one Run are asked at one moment.
	// Default 4.
	ChecksPerRun int `json:"checksPerRun,omitempty"`
	// CheckTimeout is how long one question may take. Default 2m.
	CheckTimeout gate.Duration `json:"checkTimeout,omitempty"`
	// MinInterval is the least time between two rounds of one Run. Default 1s.
	MinInterval gate.Duration `json:"minInterval,omitempty"`
	// MaxDeadline is the longest deadline a Gate may set. Default 24h.
	MaxDeadline gate.Duration `json:"maxDeadline,omitempty"`
	// MaxFreshFor is how long a passed Run may be fresh, whatever its Gate
	// says. Default 24h.
	MaxFreshFor gate.Duration `json:"maxFreshFor,omitempty"`
	// MaxOverride is the longest time a person may override a gate for.
	// Default 24h.
	MaxOverride gate.Duration `json:"maxOverride,omitempty"`
	// RevertTries is how often a revert is tried, seconds up to ten minutes
	// apart. Default 150, about a day.
	RevertTries int `json:"revertTries,omitempty"`
	// Streams is how many hook Jobs may wait at one moment. Default 1000.
	Streams int `json:"streams,omitempty"`
	// StreamsPerCaller is how many of them one ServiceAccount may have.
	// Default 100.
	StreamsPerCaller int `json:"streamsPerCaller,omitempty"`
	// RatePerCaller is how many requests a second one ServiceAccount may send
	// for long. Default 20.
	RatePerCaller int `json:"ratePerCaller,omitempty"`
	// TokenReviews is how many tokens a second are taken to their cluster.
	// Default 50.
	TokenReviews int `json:"tokenReviews,omitempty"`
}

// resolve makes relative paths relative to dir.
func (c *Config) resolve(dir string) {
	fields := []*string{&c.Database.Path, &c.CacheDir}
	if c.TLS != nil {
		fields = append(fields, &c.TLS.CertFile, &c.TLS.KeyFile)
	}
	if c.Webhooks.GitHub != nil {
		fields = append(fields, &c.Webhooks.GitHub.SecretFile)
	}
	for i := range c.Repositories {
		r := &c.Repositories[i]
		fields = append(fields, &r.TokenFile, &r.CAFile)
		if r.SSH != nil {
			fields = append(fields, &r.SSH.KeyFile, &r.SSH.KnownHostsFile)
		}
		if r.Forge.GitHub != nil {
			fields = append(fields, &r.Forge.GitHub.TokenFile)
			if r.Forge.GitHub.App != nil {
				fields = append(fields, &r.Forge.GitHub.App.KeyFile)
			}
		}
		if r.Forge.Plain != nil {
			fields = append(fields, &r.Forge.Plain.Dir)
		}
	}
	for i := range c.Clusters {
		if k := c.Clusters[i].Kubeconfig; k != nil {
			fields = append(fields, &k.Path)
		}
	}
	for i := range c.Admission.Clusters {
		fields = append(fields, &c.Admission.Clusters[i].ClientCAFile, &c.Admission.Clusters[i].TokenFile)
	}
	for i := range c.Stores {
		if f := c.Stores[i].Folder; f != nil {
			fields = append(fields, &f.Path)
		}
		if s := c.Stores[i].S3; s != nil {
			fields = append(fields, &s.CAFile, &s.AccessKeyFile, &s.SecretKeyFile, &s.SessionTokenFile)
		}
	}
	for _, f := range fields {
		if *f != "" && !filepath.IsAbs(*f) {
			*f = filepath.Join(dir, *f)
		}
	}
}
