package cmpserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/argoproj/argo-cd/v2/cmpserver/apiclient"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
)

// maxMessage is the most bytes of one gRPC message, as on Argo CD's side.
const maxMessage = 100 << 20

// drain is how long calls that are being answered may go on when the server
// ends.
const drain = 10 * time.Second

// SocketName is the name of a plugin's socket in the repo-server's plugins
// folder: "<name>-<version>.sock", or "<name>.sock" without a version.
func SocketName(name, version string) string {
	if version == "" {
		return name + ".sock"
	}
	return name + "-" + version + ".sock"
}

// Serve listens on the socket until ctx ends. A socket that a dead server left
// behind is replaced; one that answers is not.
func Serve(ctx context.Context, socket string, s *Service) error {
	listener, err := listen(ctx, socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		// The repo-server's pings come every 10 seconds.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)
	apiclient.RegisterConfigManagementPluginServiceServer(server, s)
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		hard := time.AfterFunc(drain, server.Stop)
		defer hard.Stop()
		server.GracefulStop()
	})
	s.opts.Log.Info("plugin serves", "socket", socket)
	err = server.Serve(listener)
	if !stop() {
		<-stopped
	}
	if err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve plugin on %s: %w", socket, err)
	}
	return nil
}

func listen(ctx context.Context, socket string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", socket, err)
	}
	info, err := os.Lstat(socket)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", socket, err)
	case info.Mode()&fs.ModeSocket == 0:
		return nil, fmt.Errorf("listen on %s: expected no file or a socket, found %s; remove it", socket, info.Mode())
	default:
		var dial net.Dialer
		if conn, err := dial.DialContext(ctx, "unix", socket); err == nil {
			_ = conn.Close()
			return nil, fmt.Errorf("listen on %s: another server answers there; stop it, or give this one another name or version", socket)
		}
		if err := os.Remove(socket); err != nil {
			return nil, fmt.Errorf("listen on %s: %w", socket, err)
		}
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", socket, err)
	}
	return listener, nil
}
