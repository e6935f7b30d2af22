// Package inject makes the hook Jobs that hold a sync until the gate server has
// given its verdict. What a Job runs and whom it asks comes from the plugin's
// own configuration; Git and the Application say only which Gate, which
// cluster and which revision it is about.
package inject

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/syncgate/syncgate/plugin/render"
	"github.com/syncgate/syncgate/policies/gate"
)

// Config is what the plugin's own configuration says of hook Jobs.
type Config struct {
	// Image runs the Job; `syncgate` is on its PATH and its user is a number
	// other than 0. Required.
	Image string
	// Server is the gate server's address, https://host[:port]. Required.
	Server string
	// CA holds the certificates, PEM, that the server's is checked against;
	// empty means the image's own.
	CA string
	// ServiceAccount is whose token the Job shows. Default "syncgate-hook".
	ServiceAccount string
	// Namespace is where the Jobs run; empty means the Application's
	// destination.
	Namespace string
	// PullSecret is the name of the Secret the image is pulled with; may be
	// empty.
	PullSecret string
	// PublicURL is where people see Runs in a browser, http(s)://host[/path];
	// Argo CD links to it from the Jobs. Empty means no links.
	PublicURL string
	// Written keeps Jobs as they are written, for a program that is asked for the
	// same ones again; nil keeps none.
	Written *Written
}

// DefaultServiceAccount is Config.ServiceAccount when none is set.
const DefaultServiceAccount = "syncgate-hook"

// Change is what the Jobs are about.
type Change struct {
	// Repository is the URL the revision comes from.
	Repository string
	// Revision is the full commit SHA that is rendered.
	Revision string
	// TargetRevision is what the Application follows: a branch, "HEAD", a tag;
	// "" when that is not known.
	TargetRevision string
	Cluster        string
}

// Validate says what is missing in c; the error names what to set.
func (c Config) Validate() error {
	if c.Image == "" {
		return errors.New("the plugin has no image for hook Jobs; set SYNCGATE_HOOK_IMAGE in the plugin's environment")
	}
	u, err := url.Parse(c.Server)
	if c.Server == "" || err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return fmt.Errorf("the plugin has no gate server: expected an address such as https://syncgate.syncgate.svc, found %q; "+
			"set SYNCGATE_SERVER_URL in the plugin's environment", c.Server)
	}
	if u.User != nil {
		return errors.New("the gate server's address holds a user or password; remove it from SYNCGATE_SERVER_URL")
	}
	if err := c.validatePublicURL(); err != nil {
		return err
	}
	return c.validateCA()
}

// validatePublicURL refuses what a browser should not be sent to, and "|",
// which ends the title in Argo CD's links.
func (c Config) validatePublicURL() error {
	if c.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(c.PublicURL, "|") {
		return errors.New("the address of the runs' pages: expected http(s)://host[/path], without user, query, fragment or \"|\"; " +
			"correct SYNCGATE_PUBLIC_URL in the plugin's environment, or unset it")
	}
	return nil
}

// maxCA bounds Config.CA: it is carried by an annotation, of which a pod may
// have 256 KiB in all.
const maxCA = 128 << 10

// validateCA refuses anything but certificates: the CA can be read by whoever
// can read the Job.
func (c Config) validateCA() error {
	if len(c.CA) > maxCA {
		return fmt.Errorf("the gate server's CA: limit caBytes=%d hit; keep only the certificates it needs in the file of SYNCGATE_SERVER_CA_FILE", maxCA)
	}
	rest := []byte(c.CA)
	for len(bytes.TrimSpace(rest)) > 0 {
		block, tail := pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" {
			return errors.New("the gate server's CA: expected certificates in PEM and nothing else; correct the file of SYNCGATE_SERVER_CA_FILE")
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("the gate server's CA: read certificate: %w; correct the file of SYNCGATE_SERVER_CA_FILE", err)
		}
		rest = tail
	}
	return nil
}

// revisionForm is a full commit SHA, of either hash.
var revisionForm = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// Validate says what is wrong with c.
func (c Change) Validate() error {
	if !revisionForm.MatchString(c.Revision) {
		return fmt.Errorf("hook Jobs are pinned to a full commit SHA, found revision %.80q; "+
			"point the Application at a Git repository (ARGOCD_APP_REVISION is the commit it resolved to), or give --revision", c.Revision)
	}
	if c.Repository == "" {
		return errors.New("hook Jobs need the repository's URL; Argo CD gives it in ARGOCD_APP_SOURCE_REPO_URL")
	}
	return nil
}

// Jobs are the hook Jobs of a Gate: PreSync, PostSync and SyncFail; none for a
// Gate without checks when there is no gate server. objects is what was rendered:
// one of them that takes a Job's name, or runs before the PreSync Job, is an
// error.
func Jobs(g *gate.Gate, ch Change, cfg Config, objects []render.Object) ([]render.Object, error) {
	hooks := hooksOf(g, cfg.Server != "")
	if len(hooks) == 0 {
		return nil, nil
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := ch.Validate(); err != nil {
		return nil, err
	}
	ch.Repository = withoutPassword(ch.Repository)
	names := make([]string, len(hooks))
	jobs := make([]render.Object, len(hooks))
	for i, h := range hooks {
		job, err := build(g, h, ch, cfg)
		if err != nil {
			return nil, err
		}
		jobs[i], names[i] = job, job.Name
	}
	return jobs, checkObjects(objects, names)
}

// checkObjects refuses rendered objects that would take the place of a Job or
// run beside or before the PreSync one.
func checkObjects(objects []render.Object, names []string) error {
	for _, o := range objects {
		for _, h := range o.Heads() {
			if h.Kind == "Job" && slices.Contains(names, h.Name) {
				return fmt.Errorf("%s in %s has the name of Syncgate's own hook Job; rename it", h, o.Source)
			}
			if w, set := wave(h); set && w <= preSyncWave && isPreSync(h) {
				return fmt.Errorf("%s in %s is a PreSync hook of wave %d, which is not after the gate's own (%d); give it a later argocd.argoproj.io/sync-wave",
					h, o.Source, w, preSyncWave)
			}
		}
	}
	return nil
}

// isPreSync reports whether Argo CD runs h before the sync. Argo CD's own
// annotation wins over Helm's.
func isPreSync(h render.Head) bool {
	if types, ok := h.Annotations[annotationHook]; ok {
		return lists(types, "PreSync")
	}
	types := h.Annotations["helm.sh/hook"]
	return lists(types, "pre-install") || lists(types, "pre-upgrade")
}

// wave is the sync wave of h, and whether it sets one. Argo CD takes Helm's
// hook weight for a wave where its own annotation is missing.
func wave(h render.Head) (int, bool) {
	for _, key := range []string{annotationWave, "helm.sh/hook-weight"} {
		if text, ok := h.Annotations[key]; ok {
			w, err := strconv.Atoi(strings.TrimSpace(text))
			return w, err == nil
		}
	}
	return 0, false
}

func lists(types, want string) bool {
	for t := range strings.SplitSeq(types, ",") {
		if strings.EqualFold(strings.TrimSpace(t), want) {
			return true
		}
	}
	return false
}

// withoutPassword is a repository's URL as it may stand in a Job.
func withoutPassword(repository string) string {
	u, err := url.Parse(repository)
	if err != nil || u.User == nil {
		return repository
	}
	if _, has := u.User.Password(); !has && u.Scheme == "ssh" {
		return repository // git@ is no secret, and part of the address
	}
	u.User = nil
	return u.String()
}
