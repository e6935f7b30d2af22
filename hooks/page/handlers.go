package page

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

const (
	// perPage is how many Runs one page lists.
	perPage = 50
	// maxEarlier is how many other Runs of the same key a Run's page links to.
	maxEarlier = 20
	// maxChoices is how many gates, and clusters, can be chosen from.
	maxChoices = 500
	// maxQuery bounds a word of the query, in bytes.
	maxQuery = 253
	// refresh is after how many seconds a page that is not final is loaded
	// again.
	refresh = 5
)

// head is what every page has.
type head struct {
	Title string
	// Root leads to the list, relative, so that a proxy may put the pages
	// below a path.
	Root string
	// Refresh is after how many seconds to load the page again, 0 for never.
	Refresh int
}

func newHead(c *gin.Context, title string) head {
	root := "./"
	if n := strings.Count(c.Request.URL.EscapedPath(), "/"); n > 1 {
		root = strings.Repeat("../", n-1)
	}
	return head{Title: title, Root: root}
}

// listPage is the list of Runs.
type listPage struct {
	head
	Filter   store.Filter
	Verdicts []hooks.Verdict
	Gates    []string
	Clusters []string
	Runs     []runView
	Next     string // the query of the next page
	First    string // the query of the first
}

func (p *Page) list(c *gin.Context) {
	f := store.Filter{Gate: c.Query("gate"), Cluster: c.Query("cluster"), Revision: strings.ToLower(c.Query("revision")),
		Verdict: hooks.Verdict(c.Query("verdict")), Before: c.Query("before"), Limit: perPage + 1}
	verdicts := []hooks.Verdict{store.Unfinished, hooks.Passed, hooks.Failed, hooks.Expired, hooks.Overridden}
	if f.Verdict != "" && !slices.Contains(verdicts, f.Verdict) {
		p.fail(c, http.StatusBadRequest, "There is no such verdict.", "Choose one from the list.")
		return
	}
	if slices.ContainsFunc([]string{f.Gate, f.Cluster, f.Revision, f.Before}, func(s string) bool { return len(s) > maxQuery }) {
		p.fail(c, http.StatusBadRequest, "The query is too long.", "Choose from the lists.")
		return
	}
	gates, err := p.runs.Gates(c.Request.Context())
	if err != nil {
		p.unread(c, err)
		return
	}
	runs, err := p.runs.Runs(c.Request.Context(), f)
	if err != nil {
		p.unread(c, err)
		return
	}
	page := listPage{head: newHead(c, "Runs"), Filter: f, Verdicts: verdicts,
		Gates:    choices(gates, f.Gate, func(k store.Key) string { return k.Gate }),
		Clusters: choices(gates, f.Cluster, func(k store.Key) string { return k.Cluster })}
	page.First = query(f, "")
	if len(runs) > perPage {
		runs = runs[:perPage]
		page.Next = query(f, runs[perPage-1].ID)
	}
	for _, r := range runs {
		page.Runs = append(page.Runs, p.view(r, page.Root))
		if !settled(r) {
			page.Refresh = refresh
		}
	}
	p.render(c, http.StatusOK, "list.html", page)
}

// query is that of the list from the Run named before on.
func query(f store.Filter, before string) string {
	q := url.Values{}
	for name, value := range map[string]string{
		"gate": f.Gate, "cluster": f.Cluster, "revision": f.Revision, "verdict": string(f.Verdict), "before": before,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return "?" + q.Encode()
}

// choices are the names that can be chosen, with the one that is.
func choices(keys []store.Key, chosen string, name func(store.Key) string) []string {
	var out []string
	for _, k := range keys {
		out = append(out, name(k))
	}
	slices.Sort(out)
	out = slices.Compact(out)
	out = out[:min(len(out), maxChoices)]
	if chosen != "" && !slices.Contains(out, chosen) {
		out = append(out, chosen)
	}
	return out
}

// runPage is one Run.
type runPage struct {
	head
	Run runView
	// Newest is true when the page was asked for by key: it may show another
	// Run the next time.
	Newest bool
	Others []runView
}

func (p *Page) byID(c *gin.Context) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		p.noRun(c)
		return
	}
	r, err := p.runs.Run(c.Request.Context(), id.String())
	switch {
	case errors.Is(err, store.ErrNotFound):
		p.noRun(c)
		return
	case err != nil:
		p.unread(c, err)
		return
	}
	others, err := p.runs.Runs(c.Request.Context(), ofKey(r.Change))
	if err != nil {
		p.unread(c, err)
		return
	}
	p.run(c, r, others, false)
}

func (p *Page) byKey(c *gin.Context) {
	change := hooks.Change{Repository: "-", Gate: c.Param("gate"), Cluster: c.Param("cluster"), Revision: c.Param("revision"),
		Phase: hooks.Phase(c.Param("phase")), Attempt: "-"}
	if err := change.Validate(); err != nil {
		p.fail(c, http.StatusBadRequest, "The address is not that of a run: "+err.Error()+".", "Its form is /gates/GATE/CLUSTER/REVISION/PHASE.")
		return
	}
	runs, err := p.runs.Runs(c.Request.Context(), ofKey(change))
	if err != nil {
		p.unread(c, err)
		return
	}
	if len(runs) == 0 {
		p.render(c, http.StatusNotFound, "error.html", errorPage{head: p.soon(c), Message: "There is no run of this gate, cluster, revision and phase yet.",
			Remedy: "It is there once its hook Job has reached the gate server; this page looks again by itself. Runs are kept for the time that database.retention says."})
		return
	}
	p.run(c, runs[0], runs, true)
}

// soon is the head of a page that will show something else.
func (p *Page) soon(c *gin.Context) head {
	h := newHead(c, "No run yet")
	h.Refresh = refresh
	return h
}

func ofKey(c hooks.Change) store.Filter {
	return store.Filter{Gate: c.Gate, Cluster: c.Cluster, Revision: c.Revision, Phase: c.Phase, Limit: maxEarlier + 1}
}

// run shows r; same are the Runs of its key, itself included.
func (p *Page) run(c *gin.Context, r hooks.Run, same []hooks.Run, newest bool) {
	h := newHead(c, string(verdict(r))+": "+r.Change.Gate+" on "+r.Change.Cluster)
	if !settled(r) {
		h.Refresh = refresh
	}
	page := runPage{head: h, Run: p.view(r, h.Root), Newest: newest}
	for _, o := range same {
		if o.ID != r.ID {
			page.Others = append(page.Others, p.view(o, h.Root))
		}
	}
	p.render(c, http.StatusOK, "run.html", page)
}

// errorPage says what is wrong and what to do.
type errorPage struct {
	head
	Message, Remedy string
}

func (p *Page) noRun(c *gin.Context) {
	p.fail(c, http.StatusNotFound, "There is no such run.", "Runs are kept for the time that database.retention says; the list has those there are.")
}

// unread says that the Runs could not be read. What went wrong is for the log.
func (p *Page) unread(c *gin.Context, err error) {
	p.log.WarnContext(c.Request.Context(), "page not made", "path", c.Request.URL.Path, "error", err)
	p.fail(c, http.StatusServiceUnavailable, "The runs could not be read.", "Load the page again; the server's log says what went wrong.")
}

func (p *Page) fail(c *gin.Context, status int, message, remedy string) {
	p.render(c, status, "error.html", errorPage{head: newHead(c, http.StatusText(status)), Message: message, Remedy: remedy})
}

// render answers with a whole page or not at all.
func (p *Page) render(c *gin.Context, status int, name string, data any) {
	c.Abort()
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, name, data); err != nil {
		p.log.ErrorContext(c.Request.Context(), "page not made", "path", c.Request.URL.Path, "error", err)
		c.String(http.StatusInternalServerError, "the page could not be made; the server's log says why\n")
		return
	}
	c.Data(status, "text/html; charset=utf-8", b.Bytes())
}
