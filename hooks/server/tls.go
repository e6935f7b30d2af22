package server

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// TLS serves the certificate of two PEM files, and takes up a new one when they
// change. Files that cannot be read, once it has started, leave the old one.
func TLS(certFile, keyFile string) (*tls.Config, error) {
	k := &keypair{certFile: certFile, keyFile: keyFile}
	if _, err := k.current(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.current() },
	}, nil
}

type keypair struct {
	certFile, keyFile string

	mu       sync.Mutex
	cert     *tls.Certificate
	modified [2]time.Time
}

func (k *keypair) current() (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	modified, err := k.times()
	if err == nil && k.cert != nil && modified == k.modified {
		return k.cert, nil
	}
	if err == nil {
		var c tls.Certificate
		if c, err = tls.LoadX509KeyPair(k.certFile, k.keyFile); err == nil {
			k.cert, k.modified = &c, modified
		}
	}
	if k.cert == nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return k.cert, nil
}

func (k *keypair) times() (t [2]time.Time, err error) {
	for i, f := range []string{k.certFile, k.keyFile} {
		info, err := os.Stat(f)
		if err != nil {
			return t, err
		}
		t[i] = info.ModTime()
	}
	return t, nil
}
