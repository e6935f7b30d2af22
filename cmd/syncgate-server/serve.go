package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/syncgate/syncgate/hooks/config"
	"github.com/syncgate/syncgate/hooks/server"
)

// shutdownTimeout is how long a stop waits for requests and questions that are
// under way. Nothing is lost when it is over.
const shutdownTimeout = 20 * time.Second

type serveOptions struct {
	config string
	check  bool
}

// brokeError is what went wrong once the server had started.
type brokeError struct{ err error }

func (e *brokeError) Error() string { return e.err.Error() }
func (e *brokeError) Unwrap() error { return e.err }

// serve runs the server until ctx ends.
func serve(ctx context.Context, o serveOptions, stderr io.Writer) (err error) {
	cfg, err := readConfig(o.config)
	if err != nil || o.check {
		return err
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level(cfg.Log.Level)}))
	a, err := wire(ctx, cfg, os.Getenv, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()

	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	httpServer := a.server.HTTP()
	if cfg.TLS != nil {
		if httpServer.TLSConfig, err = server.TLS(cfg.TLS.CertFile, cfg.TLS.KeyFile); err != nil {
			return errors.Join(err, l.Close())
		}
		if slices.ContainsFunc(cfg.Admission.Clusters, func(c config.AdmissionCluster) bool { return c.ClientCAFile != "" }) {
			// Who has a certificate sends it; whether it must be good depends
			// on what is asked.
			httpServer.TLSConfig.ClientAuth = tls.RequestClientCert
		}
	} else {
		log.WarnContext(ctx, "serving plain http: tokens can be read on the way", "setting", "insecure")
	}
	served := make(chan error, 2)
	stopPages, err := a.servePages(ctx, cfg, served)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer func() { err = errors.Join(err, stopPages()) }()
	if err := a.engine.Start(ctx); err != nil {
		return errors.Join(err, l.Close())
	}
	go a.known.refreshing(ctx)
	watching, stopWatching := context.WithCancel(ctx)
	defer a.watchers.Wait()
	defer stopWatching()
	a.explain(watching)
	if err := a.watch(watching, cfg.Applications); err != nil {
		return errors.Join(err, l.Close(), a.engine.Stop(context.WithoutCancel(ctx)))
	}
	log.InfoContext(ctx, "serving", "address", l.Addr().String(), "tls", cfg.TLS != nil, "version", version)
	go func() { served <- serveOn(httpServer, l) }()
	select {
	case err := <-served:
		return &brokeError{fmt.Errorf("serve: %w", err)}
	case <-ctx.Done():
	}
	log.InfoContext(context.WithoutCancel(ctx), "stopping")
	return a.stop(context.WithoutCancel(ctx), httpServer)
}

func serveOn(s *http.Server, l net.Listener) error {
	if s.TLSConfig != nil {
		return s.ServeTLS(l, "", "")
	}
	return s.Serve(l)
}

// stop ends the streams, the requests and the work, in this order.
func (a *app) stop(ctx context.Context, s *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	a.server.Close()
	if err := s.Shutdown(ctx); err != nil {
		a.log.WarnContext(ctx, "requests cut off", "error", err)
		_ = s.Close() // they are answered by the next start
	}
	if err := a.engine.Stop(ctx); err != nil {
		return &brokeError{err}
	}
	return nil
}

func readConfig(file string) (*config.Config, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, config.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", file, err)
	}
	return config.Decode(data, file)
}

func level(name string) slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(name)) // the configuration is checked
	return l
}
