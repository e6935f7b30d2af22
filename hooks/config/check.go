package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
)

var nameForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$`)

// check finds what is wrong beyond the form.
func (d *decoder) check(c *Config) {
	d.checkServing(c)
	d.required("database.path", c.Database.Path)
	d.required("cacheDir", c.CacheDir)
	if len(c.Repositories) == 0 {
		d.wrongAt("repositories", "expected at least one repository, found none")
	}
	names := map[string]bool{}
	for i, r := range c.Repositories {
		d.checkRepository(fmt.Sprintf("repositories[%d]", i), r, names)
	}
	if len(c.Clusters) == 0 {
		d.wrongAt("clusters", "expected at least one entry, found none")
	}
	for i, o := range c.Clusters {
		if err := o.Validate(); err != nil {
			d.wrongAt(fmt.Sprintf("clusters[%d]", i), "%s", oneLine(err))
		}
	}
	stores := map[string]bool{}
	for i, s := range c.Stores {
		path := fmt.Sprintf("stores[%d]", i)
		d.name(path, s.Name, stores)
		if (s.Folder == nil) == (s.S3 == nil) {
			d.wrongAt(path, "expected exactly one of folder and s3")
		}
	}
	for i, a := range c.Applications {
		d.required(fmt.Sprintf("applications[%d].cluster", i), a.Cluster)
	}
	d.checkMinimums("minimums.preSync", c.Minimums.PreSync)
	d.checkMinimums("minimums.postSync", c.Minimums.PostSync)
	for i, name := range c.Minimums.Revert {
		if !slices.ContainsFunc(c.Minimums.PreSync, func(m gate.Check) bool { return m.Name == name }) {
			d.wrongAt(fmt.Sprintf("minimums.revert[%d]", i), "expected the name of a check in minimums.preSync, found %.80q", name)
		}
	}
	d.checkWebhooks(c)
	d.checkGuards(c)
	d.checkAdmission(c)
	switch c.Log.Level {
	case "", "debug", "info", "warn", "error":
	default:
		d.wrongAt("log.level", "expected debug, info, warn or error, found %.40q", c.Log.Level)
	}
}

func (d *decoder) checkServing(c *Config) {
	if c.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			d.wrongAt("listen", "expected host:port, found %.80q", c.Listen)
		}
	}
	if c.Page.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Page.Listen); err != nil {
			d.wrongAt("page.listen", "expected host:port, such as 127.0.0.1:8081, found %.80q", c.Page.Listen)
		}
	}
	switch {
	case c.TLS == nil && !c.Insecure:
		d.wrongAt("tls", "expected certFile and keyFile, found nothing; `insecure: true` serves plain http, on which tokens can be read")
	case c.TLS != nil && c.Insecure:
		d.wrongAt("insecure", "expected either tls or insecure, found both")
	case c.TLS != nil:
		d.required("tls.certFile", c.TLS.CertFile)
		d.required("tls.keyFile", c.TLS.KeyFile)
	}
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
			d.wrongAt("publicURL", "expected https://host[/path]")
		}
	}
}

func (d *decoder) required(path, value string) {
	if value == "" {
		d.wrongAt(path, "expected a value, found none")
	}
}

func (d *decoder) name(path, name string, taken map[string]bool) {
	switch {
	case !nameForm.MatchString(name):
		d.wrongAt(path+".name", "expected a name of up to 63 lower-case letters, digits, '-' and '.', found %.80q", name)
	case taken[name]:
		d.wrongAt(path+".name", "expected a name of its own, found %q again", name)
	}
	taken[name] = true
}

func (d *decoder) checkRepository(path string, r Repository, names map[string]bool) {
	d.name(path, r.Name, names)
	d.required(path+".url", r.URL)
	// A URL that does not parse may hold a password: it is not shown.
	if u, err := url.Parse(r.URL); err == nil && u.User != nil {
		if _, has := u.User.Password(); has {
			d.wrongAt(path+".url", "expected no password in the URL; put it into a file and name that in tokenFile")
		}
	}
	if r.SSH != nil {
		d.required(path+".ssh.keyFile", r.SSH.KeyFile)
		d.required(path+".ssh.knownHostsFile", r.SSH.KnownHostsFile)
	}
	if (r.Forge.GitHub == nil) == (r.Forge.Plain == nil) {
		d.wrongAt(path+".forge", "expected exactly one of github and plain")
		return
	}
	if r.Forge.Plain != nil {
		d.required(path+".forge.plain.dir", r.Forge.Plain.Dir)
		return
	}
	g := r.Forge.GitHub
	switch {
	case g.App != nil && g.TokenFile != "":
		d.wrongAt(path+".forge.github", "expected either tokenFile or app, found both")
	case g.App != nil:
		d.checkApp(path+".forge.github.app", *g.App)
	case g.TokenFile == "" && r.TokenFile == "":
		d.wrongAt(path+".forge.github.tokenFile", "expected a file, here or in the repository's tokenFile, or an app, found none")
	}
	if owner, repo := ownerRepo(r.URL); (g.Owner == "" && owner == "") || (g.Repo == "" && repo == "") {
		d.wrongAt(path+".forge.github", "expected owner and repo, since the URL does not end in them")
	}
}

func (d *decoder) checkApp(path string, a GitHubApp) {
	if a.ID <= 0 {
		d.wrongAt(path+".id", "expected the App's ID, a number above 0, found %d", a.ID)
	}
	if a.Installation < 0 {
		d.wrongAt(path+".installation", "expected the installation's ID, a number above 0, found %d", a.Installation)
	}
	d.required(path+".keyFile", a.KeyFile)
}

// checkWebhooks asks for what a delivery needs.
func (d *decoder) checkWebhooks(c *Config) {
	if c.Webhooks.GitHub == nil {
		return
	}
	d.required("webhooks.github.secretFile", c.Webhooks.GitHub.SecretFile)
	if !slices.ContainsFunc(c.Repositories, func(r Repository) bool { return r.Forge.GitHub != nil }) {
		d.wrongAt("webhooks.github", "expected a repository with forge.github that is told of, found none")
	}
}

func (d *decoder) checkMinimums(path string, checks []gate.Check) {
	taken := map[string]bool{}
	for i, c := range checks {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.name(at, c.Name, taken)
		if c.Use != "" {
			d.wrongAt(at+".use", "expected the check written out: presets belong to Gates")
		}
		kinds := 0
		for _, set := range []bool{c.Nodes != nil, c.Pods != nil, c.Resource != nil, c.Images != nil, c.Rollout != nil, c.HTTP != nil, c.Backup != nil} {
			if set {
				kinds++
			}
		}
		if kinds != 1 && c.Use == "" {
			d.wrongAt(at, "expected exactly one of nodes, pods, resource, images, rollout, http and backup, found %d", kinds)
		}
	}
}

// defaults fills in what the file leaves out.
func (c *Config) defaults() {
	if c.Listen == "" {
		c.Listen = ":8443"
	}
	if c.Log.Level == "" {
		c.Log.Level = "info"
	}
	for i := range c.Repositories {
		r := &c.Repositories[i]
		if r.Branch == "" {
			r.Branch = "main"
		}
		if g := r.Forge.GitHub; g != nil {
			owner, repo := ownerRepo(r.URL)
			if g.Owner == "" {
				g.Owner = owner
			}
			if g.Repo == "" {
				g.Repo = repo
			}
			if g.TokenFile == "" && g.App == nil {
				g.TokenFile = r.TokenFile
			}
		}
	}
}

// ownerRepo are the last two parts of a repository's URL.
func ownerRepo(raw string) (owner, repo string) {
	path := raw
	if u, err := url.Parse(raw); err == nil && u.Host != "" {
		path = u.Path
	} else if _, after, ok := strings.Cut(raw, ":"); ok {
		path = after
	}
	parts := strings.Split(strings.TrimSuffix(strings.Trim(path, "/"), ".git"), "/")
	if len(parts) < 2 {
		return "", ""
	}
	return parts[len(parts)-2], parts[len(parts)-1]
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
