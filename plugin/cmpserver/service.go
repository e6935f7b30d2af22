// Package cmpserver serves Argo CD's plugin.ConfigManagementPluginService on a
// Unix socket, so that an unmodified repo-server uses Syncgate as it uses the
// stock plugin server. The repository arrives as a stream and stays in memory:
// nothing is written to disk and nothing is executed. Between requests only
// what follows from content alone is kept, within a bound.
package cmpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/v2/cmpserver/apiclient"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/syncgate/syncgate/plugin"
	"github.com/syncgate/syncgate/plugin/archive"
	"github.com/syncgate/syncgate/plugin/inject"
	"github.com/syncgate/syncgate/plugin/render"
	"github.com/syncgate/syncgate/policies/gate"
)

// Options say how the service answers.
type Options struct {
	// Hooks says how hook Jobs are made; it comes from the plugin's own
	// configuration, never from Git.
	Hooks inject.Config
	// Limits bound the archives it accepts.
	Limits archive.Limits
	// ArchivesBytes bounds what the archives of all requests hold in memory
	// together; one of them may hold half. Requests for which there is no room
	// wait for it. Default 1 GiB.
	ArchivesBytes int64
	// Render bounds the renders, those of all requests together.
	Render render.Limits
	// NoDiscovery answers for Applications that name the plugin alone. Without
	// it Argo CD sends the repository once more for every Application, those
	// that name the plugin among them, to ask whether there is a Gate.
	NoDiscovery bool
	// Concurrency is how many requests are worked on at once; others wait
	// for their turn, or for their deadline. Default 8.
	Concurrency int
	Log         *slog.Logger
}

// Service implements the plugin service. It is safe for concurrent use.
type Service struct {
	opts  Options
	slots chan struct{}
	pool  *archive.Pool
	json  *converter
	// renderers are the same for all requests: together they bound the renders
	// that nobody waits for any more, which cannot be stopped.
	renderers render.Renderers
	passed    *plugin.Passed
	gates     *gate.Known
}

// New makes the service. It fails when the hook configuration is not whole: a
// plugin that renders without hook Jobs is no gate.
func New(opts Options) (*Service, error) {
	if err := opts.Hooks.Validate(); err != nil {
		return nil, err
	}
	if opts.Concurrency <= 0 {
		opts.Concurrency = 8
	}
	if opts.ArchivesBytes <= 0 {
		opts.ArchivesBytes = 1 << 30
	}
	opts.Hooks.Written = inject.NewWritten()
	return &Service{
		opts: opts, slots: make(chan struct{}, opts.Concurrency), pool: archive.NewPool(opts.ArchivesBytes), json: newConverter(convertedBytes),
		renderers: render.New(opts.Render), passed: plugin.NewPassed(), gates: gate.NewKnown(),
	}, nil
}

// CheckPluginConfiguration says whether discovery is on, and that no Git
// credentials are wanted.
func (s *Service) CheckPluginConfiguration(context.Context, *emptypb.Empty) (*apiclient.CheckPluginConfigurationResponse, error) {
	return &apiclient.CheckPluginConfigurationResponse{IsDiscoveryConfigured: !s.opts.NoDiscovery}, nil
}

// GenerateManifest renders the Application whose repository is streamed.
func (s *Service) GenerateManifest(stream apiclient.ConfigManagementPluginService_GenerateManifestServer) error {
	var out *apiclient.ManifestResponse
	err := s.serve("generate", stream, func(ctx context.Context, in received) error {
		if in.invalid != nil {
			return in.invalid
		}
		req := in.request
		req.Hooks, req.Renderers, req.Passed = &s.opts.Hooks, s.renderers, s.passed
		objects, err := plugin.Objects(ctx, in.tree, req)
		if err != nil {
			return err
		}
		manifests, err := s.json.manifests(objects)
		if err != nil {
			return err
		}
		if err := fits(manifests); err != nil {
			return err
		}
		out = &apiclient.ManifestResponse{Manifests: manifests}
		return nil
	})
	if err != nil {
		return err
	}
	return stream.SendAndClose(out)
}

// maxAnswer is the most bytes of objects in one answer: what one message may
// hold, less what wraps them.
const maxAnswer = maxMessage - 4<<20

// fits refuses an answer that the transport would not carry, which would tell
// less about it.
func fits(manifests []string) error {
	size := 0
	for _, m := range manifests {
		size += len(m)
	}
	if size > maxAnswer {
		return fmt.Errorf("answer: limit answerBytes=%d hit: the objects have %d bytes as JSON; split what is rendered into several Applications", maxAnswer, size)
	}
	return nil
}

// MatchRepository says whether the Application's folder has a Gate. Parameters
// that are wrong are no reason to say no, and neither is an archive that cannot
// be taken when the Application has parameters of this plugin: Argo CD would
// then say that there is no such plugin, and not what is wrong.
func (s *Service) MatchRepository(stream apiclient.ConfigManagementPluginService_MatchRepositoryServer) error {
	found := false
	if s.opts.NoDiscovery {
		takeRest(stream.Context(), stream)
		return stream.SendAndClose(&apiclient.RepositoryResponse{})
	}
	err := s.serve("discover", stream, func(_ context.Context, in received) error {
		if in.tree == nil {
			found = in.request.Gate != "" || in.request.Cluster != ""
			if !found {
				return in.invalid
			}
			return nil
		}
		var text strings.Builder
		err := plugin.Discover(in.tree, in.request, &text)
		found = text.Len() > 0
		return err
	})
	if err != nil {
		return err
	}
	return stream.SendAndClose(&apiclient.RepositoryResponse{IsSupported: found, IsDiscoveryEnabled: !s.opts.NoDiscovery})
}

// GetParametersAnnouncement lists the parameters the Application may set.
func (s *Service) GetParametersAnnouncement(stream apiclient.ConfigManagementPluginService_GetParametersAnnouncementServer) error {
	out := &apiclient.ParametersAnnouncementResponse{}
	err := s.serve("parameters", stream, func(ctx context.Context, in received) error {
		if in.invalid != nil {
			return in.invalid
		}
		var text strings.Builder
		if err := plugin.Parameters(ctx, in.tree, in.request, &text); err != nil {
			return err
		}
		return json.Unmarshal([]byte(text.String()), &out.ParameterAnnouncements)
	})
	if err != nil {
		return err
	}
	return stream.SendAndClose(out)
}

// serve receives a request and has work answer it, within the stream's
// deadline and the service's bounds. The error is what the repo-server shows.
func (s *Service) serve(call string, in stream, work func(context.Context, received) error) (err error) {
	ctx, cancel := early(in.Context())
	defer cancel()
	started := time.Now()
	var app string
	defer func() {
		if p := recover(); p != nil {
			s.opts.Log.Error("plugin call panicked", "call", call, "app", app, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = status.Error(codes.Internal, plugin.Explain(fmt.Errorf("%s: internal error; its place is in the plugin's log", call)))
		}
	}()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return status.Error(codes.DeadlineExceeded, plugin.Explain(fmt.Errorf(
			"%s: no turn before the deadline: %d requests are worked on at once (limit concurrency); raise it, or the repo-server's timeout", call, s.opts.Concurrency)))
	}
	share := s.pool.Join(roomUntil(ctx))
	defer share.Release()
	got, err := s.receive(ctx, in, share)
	if err != nil {
		takeRest(ctx, in)
	}
	if err == nil {
		app = got.request.App
		got.request.Gates = s.gates
		err = work(ctx, got)
	}
	log := s.opts.Log.With("call", call, "app", app, "duration", time.Since(started))
	if err != nil {
		log.Info("plugin call refused", "error", err)
		return status.Error(codes.FailedPrecondition, plugin.Explain(err))
	}
	log.Debug("plugin call answered")
	return nil
}

// answerMargin is kept of the caller's deadline for sending the answer, so that
// the message arrives and not a bare timeout. The stock server keeps as much.
const answerMargin = 100 * time.Millisecond

// roomPart of what is left of the caller's deadline is kept for taking the rest of an
// archive for which there was no room: who cannot send it does not read why.
const roomPart = 5

// roomUntil is until when a request waits for room for its archive.
func roomUntil(ctx context.Context) time.Time {
	at, ok := ctx.Deadline()
	if !ok {
		return time.Time{}
	}
	return at.Add(-time.Until(at) / roomPart)
}

func early(ctx context.Context) (context.Context, context.CancelFunc) {
	if at, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, at.Add(-answerMargin))
	}
	return context.WithCancel(ctx)
}
