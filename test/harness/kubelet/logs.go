package kubelet

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/syncgate/syncgate/test/harness"
)

// Bounds of a termination message taken from a log, Kubernetes' own.
const (
	messageLines = 80
	messageBytes = 2048
)

// logFile keeps a container's output, each line behind the time it began at.
type logFile struct {
	mu   sync.Mutex
	file *os.File
	open bool // a line has begun
}

func openLog(name string) (*logFile, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &logFile{file: f}, nil
}

// Write adds output.
func (l *logFile) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out bytes.Buffer
	for line := range bytes.Lines(data) {
		if !l.open {
			out.WriteString(time.Now().UTC().Format(time.RFC3339Nano) + " ")
		}
		out.Write(line)
		l.open = line[len(line)-1] != '\n'
	}
	if _, err := l.file.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(data), nil
}

// Close ends the last line, so that readers see it, and closes the file.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	if l.open {
		_, err = l.file.WriteString("\n")
	}
	return errors.Join(err, l.file.Close())
}

// tail is the end of the output, as a termination message holds it.
func (l *logFile) tail() string {
	data, err := os.ReadFile(l.file.Name())
	if err != nil {
		return ""
	}
	lines := strings.SplitAfter(string(data), "\n")
	var out strings.Builder
	for _, line := range lines[max(0, len(lines)-messageLines-1):] {
		out.WriteString(withoutTime(line))
	}
	text := out.String()
	return text[max(0, len(text)-messageBytes):]
}

func withoutTime(line string) string {
	_, text, _ := strings.Cut(line, " ")
	return text
}

// serveLogs serves what `kubectl logs` and Argo CD ask the API server for, and
// it the kubelet.
func (k *Kubelet) serveLogs(ctx context.Context) error {
	cert, key, _, err := harness.ServingCertificate(k.stage.Path("tls"))
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("serve logs: %w", err)
	}
	k.port = int32(l.Addr().(*net.TCPAddr).Port)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", k.serveLog)
	k.logs = &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}
	go func() { _ = k.logs.ServeTLS(l, "", "") }()
	return nil
}

func (k *Kubelet) serveLog(w http.ResponseWriter, r *http.Request) {
	p, seen := k.find(r.PathValue("namespace"), r.PathValue("pod"))
	if p == nil {
		http.Error(w, "no such pod here", http.StatusNotFound)
		return
	}
	name := k.podDir(seen) + "/" + r.PathValue("container") + ".log"
	q := r.URL.Query()
	lines := -1
	if text := q.Get("tailLines"); text != "" {
		var err error
		if lines, err = strconv.Atoi(text); err != nil || lines < 0 {
			http.Error(w, "tailLines: expected a number", http.StatusBadRequest)
			return
		}
	}
	w.Header().Set("Content-Type", "text/plain")
	out := &logWriter{w: w, times: q.Get("timestamps") == "true"}
	sent := out.copy(name, 0, lines)
	for q.Get("follow") == "true" && !p.over() {
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
		sent = out.copy(name, sent, -1)
	}
	out.copy(name, sent, -1)
}

// find is a pod by its name: the newest that had it.
func (k *Kubelet) find(namespace, name string) (*pod, *corev1.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.pods {
		if p.seen.Namespace == namespace && p.seen.Name == name {
			return p, p.seen
		}
	}
	return nil, nil
}

// over reports whether nothing more will come into the pod's logs.
func (p *pod) over() bool {
	p.k.mu.Lock()
	defer p.k.mu.Unlock()
	phase := p.seen.Status.Phase
	return p.removed || phase == corev1.PodSucceeded || phase == corev1.PodFailed
}

// logWriter sends whole lines of a log.
type logWriter struct {
	w     io.Writer
	times bool
}

// copy sends what lies behind from, at most the last lines of it (-1: all),
// and returns up to where it got.
func (l *logWriter) copy(name string, from, lines int) int {
	data, err := os.ReadFile(name)
	if err != nil || len(data) <= from {
		return from
	}
	all := strings.SplitAfter(string(data[from:]), "\n")
	all = all[:len(all)-1] // what has no end yet, or nothing
	skip := 0
	if lines >= 0 {
		skip = max(0, len(all)-lines)
	}
	for i, line := range all {
		from += len(line)
		if i < skip {
			continue
		}
		if !l.times {
			line = withoutTime(line)
		}
		if _, err := io.WriteString(l.w, line); err != nil {
			return from
		}
	}
	return from
}
