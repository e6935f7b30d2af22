package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// minToken is how long a token of an API server must be at least, in bytes: it
// may stand in a URL, and must not be guessed.
const minToken = 32

// APIServerOptions say how the API server of a cluster shows who it is.
type APIServerOptions struct {
	// ClientCAFile holds the authorities that its client certificate is signed
	// by, PEM. ClientNames are the common names it may have; empty: any.
	ClientCAFile string
	ClientNames  []string
	// TokenFile holds tokens, one a line, of which it sends one as bearer
	// token; with TokenInPath it may be the end of the URL's path instead.
	TokenFile   string
	TokenInPath bool
}

// APIServer knows the API server of one cluster. Its files are read again when
// they change; one that cannot be read, once it has started, leaves what was.
type APIServer struct {
	opts   APIServerOptions
	cas    watched[*x509.CertPool]
	tokens watched[[][sha256.Size]byte]
}

// NewAPIServer reads the files.
func NewAPIServer(o APIServerOptions) (*APIServer, error) {
	a := &APIServer{opts: o, cas: watched[*x509.CertPool]{parse: parseCAs}, tokens: watched[[][sha256.Size]byte]{parse: parseTokens}}
	if o.ClientCAFile == "" && o.TokenFile == "" {
		return nil, errors.New("expected a client CA or a token, found neither")
	}
	if _, err := a.cas.read(o.ClientCAFile); err != nil {
		return nil, fmt.Errorf("read client CA: %w", err)
	}
	if _, err := a.tokens.read(o.TokenFile); err != nil {
		return nil, fmt.Errorf("read token: %w", err)
	}
	return a, nil
}

// authenticate says why the request is not from the API server. It works on a
// nil a, which knows nobody.
func (a *APIServer) authenticate(r *http.Request, inPath string) error {
	if a == nil {
		return errors.New("no such cluster in admission.clusters")
	}
	if inPath != "" && !a.opts.TokenInPath {
		return errors.New("a token in the path, which is not switched on")
	}
	if a.opts.ClientCAFile != "" && r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return a.certificate(r.TLS.PeerCertificates)
	}
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	for _, token := range []string{bearer, inPath} {
		if token == "" || a.opts.TokenFile == "" {
			continue
		}
		return a.token(token)
	}
	return errors.New("neither a client certificate nor a token that is asked for")
}

func (a *APIServer) certificate(chain []*x509.Certificate) error {
	roots, err := a.cas.read(a.opts.ClientCAFile)
	if err != nil {
		return err
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}); err != nil {
		return fmt.Errorf("client certificate: %w", err)
	}
	if name := chain[0].Subject.CommonName; len(a.opts.ClientNames) > 0 && !slices.Contains(a.opts.ClientNames, name) {
		return fmt.Errorf("client certificate: expected one of the names %s, found %.80q", strings.Join(a.opts.ClientNames, ", "), name)
	}
	return nil
}

func (a *APIServer) token(token string) error {
	known, err := a.tokens.read(a.opts.TokenFile)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(token))
	found := 0
	for _, k := range known {
		found |= subtle.ConstantTimeCompare(sum[:], k[:])
	}
	if found == 0 {
		return errors.New("a token that is not the cluster's")
	}
	return nil
}

// watched is what a file says, read again when the file changes.
type watched[T any] struct {
	parse func([]byte) (T, error)

	mu       sync.Mutex
	has      bool
	value    T
	modified time.Time
}

// read gives what the file says; the zero value for no file.
func (w *watched[T]) read(file string) (T, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if file == "" {
		return w.value, nil
	}
	info, err := os.Stat(file)
	if err == nil && w.has && info.ModTime().Equal(w.modified) {
		return w.value, nil
	}
	var value T
	if err == nil {
		var data []byte
		if data, err = os.ReadFile(file); err == nil {
			value, err = w.parse(data)
		}
	}
	if err == nil {
		w.value, w.has, w.modified = value, true, info.ModTime()
	}
	if w.has {
		return w.value, nil
	}
	return value, fmt.Errorf("%s: %w", file, err)
}

func parseCAs(data []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, errors.New("expected certificates, PEM, found none")
	}
	return pool, nil
}

func parseTokens(data []byte) (sums [][sha256.Size]byte, err error) {
	for line := range strings.Lines(string(data)) {
		token := strings.TrimSpace(line)
		if token == "" {
			continue
		}
		if len(token) < minToken {
			return nil, fmt.Errorf("expected a token of at least %d bytes, found %d; make one with `openssl rand -hex 32`", minToken, len(token))
		}
		sums = append(sums, sha256.Sum256([]byte(token)))
	}
	if len(sums) == 0 {
		return nil, errors.New("expected a token, found an empty file")
	}
	return sums, nil
}
