package page

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/hooks/page"
	"github.com/syncgate/syncgate/hooks/page/pagetest"
	"github.com/syncgate/syncgate/plugin/inject"
	"github.com/syncgate/syncgate/policies/gate"
)

// The link that Argo CD shows beside a hook Job leads to the Job's Run.
func TestLinkOfTheJobLeads(t *testing.T) {
	p, err := page.New(page.Options{Runs: pagetest.Open(t, pagetest.Runs()), Loopback: true, Now: pagetest.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	g := &gate.Gate{Metadata: gate.Metadata{Name: "mattermost"}}
	g.Spec.PreSync.Checks = make([]gate.Check, 1)
	g.Spec.PreSync.Deadline = gate.Duration(time.Hour)
	jobs, err := inject.Jobs(g, inject.Change{Repository: "https://github.com/acme/gitops", Revision: pagetest.Revision(), Cluster: "eu"},
		inject.Config{Image: "syncgate:v1", Server: "https://gate.example", PublicURL: "http://localhost:8081/"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	title, link, ok := strings.Cut(jobs[0].Annotations["link.argocd.argoproj.io/syncgate"], "|")
	if !ok || title != "Syncgate run" {
		t.Fatalf("annotations %v", jobs[0].Annotations)
	}
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, link, nil))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "older than maxAge 24h") {
		t.Errorf("%s: %d\n%s", link, w.Code, w.Body)
	}
}
