// Package page is what a person sees of Runs in a browser: a list of them, and
// each with its checks, their evidence and what came of it. It is read-only,
// and it asks nobody who they are: whoever reaches it may read.
package page

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/store"
)

//go:embed templates
var files embed.FS

// Runs is where the pages read.
type Runs interface {
	// Run answers store.ErrNotFound, wrapped, when there is none.
	Run(ctx context.Context, id string) (hooks.Run, error)
	// Runs lists Runs, the newest first.
	Runs(ctx context.Context, f store.Filter) ([]hooks.Run, error)
	// Gates are the gates and clusters that there are Runs of.
	Gates(ctx context.Context) ([]store.Key, error)
}

// Options are what pages are made of.
type Options struct {
	// Runs is required.
	Runs Runs
	// PublicURL is where people reach the pages, "" when only by the address
	// they are served on.
	PublicURL string
	// Loopback is true when the pages are served on this machine alone. Then a
	// request must name it, or PublicURL, as its host: a foreign page that has
	// its own name resolve to this machine reads nothing.
	Loopback bool
	// Rate is how many pages a second are answered for long, Burst how many at
	// once. Default 20 and 60.
	Rate, Burst int
	// Now is the time. Default time.Now.
	Now func() time.Time
	// Log is required.
	Log *slog.Logger
}

// Page answers browsers.
type Page struct {
	runs      Runs
	templates *template.Template
	style     []byte
	hosts     map[string]bool // nil when every host will do
	limit     *rate.Limiter
	now       func() time.Time
	log       *slog.Logger
}

// timeout bounds one page.
const timeout = 10 * time.Second

// New makes the pages.
func New(o Options) (*Page, error) {
	p := &Page{runs: o.Runs, now: o.Now, log: o.Log}
	if p.now == nil {
		p.now = time.Now
	}
	if o.Rate <= 0 {
		o.Rate = 20
	}
	if o.Burst <= 0 {
		o.Burst = 60
	}
	p.limit = rate.NewLimiter(rate.Limit(o.Rate), o.Burst)
	var err error
	if p.templates, err = template.New("").Funcs(functions()).ParseFS(files, "templates/*.html"); err != nil {
		return nil, fmt.Errorf("read the pages' templates: %w", err)
	}
	if p.style, err = files.ReadFile("templates/style.css"); err != nil {
		return nil, fmt.Errorf("read the pages' style: %w", err)
	}
	if o.Loopback {
		p.hosts = map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true}
		if u, err := url.Parse(o.PublicURL); err == nil && u.Hostname() != "" {
			p.hosts[u.Hostname()] = true
		}
	}
	return p, nil
}

// Loopback reports whether what listens on the address is reached from this
// machine alone.
func Loopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// Handler is the HTTP side of p.
func (p *Page) Handler() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	g := gin.New()
	g.HandleMethodNotAllowed = true
	g.RedirectTrailingSlash = false
	_ = g.SetTrustedProxies(nil) // nobody's word for the peer's address; nil cannot fail
	g.Use(p.recovered, secured, p.named, p.bounded)
	g.NoRoute(func(c *gin.Context) { p.fail(c, http.StatusNotFound, "There is no such page.", "") })
	g.NoMethod(func(c *gin.Context) {
		p.fail(c, http.StatusMethodNotAllowed, "These pages are for reading.", "What can be changed is changed with the syncgate command.")
	})
	for path, handle := range map[string]gin.HandlerFunc{
		"/":                         p.list,
		hooks.PathPageRuns + "/:id": p.byID,
		hooks.PathPageGates + "/:gate/:cluster/:revision/:phase": p.byKey,
		"/style.css":   p.css,
		"/favicon.ico": func(c *gin.Context) { c.Status(http.StatusNoContent) },
	} {
		g.GET(path, handle)
		g.HEAD(path, handle)
	}
	return g
}

// HTTP is an http.Server for p with the timeouts it needs.
func (p *Page) HTTP() *http.Server {
	return &http.Server{
		Handler:           p.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
}

func (p *Page) css(c *gin.Context) {
	c.Header("Cache-Control", "max-age=300")
	c.Data(http.StatusOK, "text/css; charset=utf-8", p.style)
}
