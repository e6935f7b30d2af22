package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/syncgate/syncgate/hooks/config"
	"github.com/syncgate/syncgate/hooks/page"
)

// linked is what pull requests link to: nothing while there are no pages.
func linked(cfg *config.Config) string {
	if cfg.Page.Listen == "" {
		return ""
	}
	return cfg.PublicURL
}

// servePages serves browsers, if the configuration says where, until stop is
// called. When it breaks it tells served.
func (a *app) servePages(ctx context.Context, cfg *config.Config, served chan<- error) (stop func() error, err error) {
	if cfg.Page.Listen == "" {
		if cfg.PublicURL != "" {
			a.log.WarnContext(ctx, "nothing links to the public address: there are no pages", "setting", "page.listen")
		}
		return func() error { return nil }, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Page.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for pages: %w", err)
	}
	loopback := page.Loopback(l.Addr())
	p, err := page.New(page.Options{Runs: a.engine, PublicURL: cfg.PublicURL, Loopback: loopback, Log: a.log.With("component", "page")})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	a.log.InfoContext(ctx, "serving pages", "address", l.Addr().String())
	if !loopback {
		a.log.WarnContext(ctx, "pages are shown to whoever reaches the address; let only a proxy that knows its users do so", "setting", "page.listen")
	}
	s := p.HTTP() //nolint:contextcheck // each request brings its own
	go func() { served <- s.Serve(l) }()
	// A page that is being read is cut off: its browser loads it again.
	return s.Close, nil
}
