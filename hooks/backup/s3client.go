package backup

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// s3Retries is how often one request is tried; the engine asks again anyway.
const s3Retries = 3

func newS3(o StoreOptions) (Store, error) {
	s := *o.S3
	endpoint, err := url.Parse(s.Endpoint)
	if err != nil || endpoint.Host == "" || endpoint.User != nil || (endpoint.Scheme != "http" && endpoint.Scheme != "https") || (endpoint.Path != "" && endpoint.Path != "/") {
		return nil, errors.New(`s3.endpoint: expected a URL such as "https://s3.example.com" without path and credentials`)
	}
	if err := s3utils.CheckValidBucketName(s.Bucket); err != nil {
		return nil, fmt.Errorf("s3.bucket %.80q: %w", s.Bucket, err)
	}
	lookup, err := s.lookup()
	if err != nil {
		return nil, err
	}
	creds, err := s.credentials()
	if err != nil {
		return nil, err
	}
	transport, err := minio.DefaultTransport(endpoint.Scheme == "https")
	if err != nil {
		return nil, fmt.Errorf("build transport: %w", err)
	}
	if s.CAFile != "" {
		if transport.TLSClientConfig == nil {
			transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		if transport.TLSClientConfig.RootCAs, err = trust(s.CAFile); err != nil {
			return nil, err
		}
	}
	client, err := minio.NewCore(endpoint.Host, &minio.Options{
		Creds:        creds,
		Secure:       endpoint.Scheme == "https",
		Transport:    transport,
		Region:       s.Region,
		BucketLookup: lookup,
		MaxRetries:   s3Retries,
	})
	if err != nil {
		return nil, fmt.Errorf("build client of %s: %w", endpoint.Redacted(), err)
	}
	client.SetAppInfo("syncgate", "v1alpha1")
	return &bucket{name: o.Name, bucket: s.Bucket, endpoint: endpoint.Host, client: client, maxObjects: o.maxObjects()}, nil
}

func (s S3Options) lookup() (minio.BucketLookupType, error) {
	switch s.PathStyle {
	case "", "auto":
		return minio.BucketLookupAuto, nil
	case "path":
		return minio.BucketLookupPath, nil
	case "dns":
		return minio.BucketLookupDNS, nil
	}
	return 0, fmt.Errorf("s3.pathStyle: expected auto, path or dns, found %.80q", s.PathStyle)
}

// credentials takes them from one place only, so that it is clear which count.
func (s S3Options) credentials() (*credentials.Credentials, error) {
	files := s.AccessKeyFile != "" || s.SecretKeyFile != ""
	plain := s.AccessKey != "" || s.SecretKey != ""
	switch {
	case files && !plain && !s.IAM:
		if s.AccessKeyFile == "" || s.SecretKeyFile == "" {
			return nil, errors.New("s3: expected both accessKeyFile and secretKeyFile, found one")
		}
		return credentials.New(&fileCredentials{options: s}), nil
	case plain && !files && !s.IAM:
		if s.AccessKey == "" || s.SecretKey == "" {
			return nil, errors.New("s3: expected both an access key and a secret key, found one")
		}
		return credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""), nil
	case s.IAM && !files && !plain:
		return credentials.NewIAM(""), nil
	}
	return nil, errors.New("s3: expected credentials from exactly one of accessKeyFile and secretKeyFile, the environment, or iam")
}

// fileCredentials reads credentials from files, and again after a while: they
// may be rotated.
type fileCredentials struct {
	options S3Options

	mu   sync.Mutex
	read time.Time
}

// fileCredentialsFor is how long files are taken to be unchanged.
const fileCredentialsFor = time.Minute

// maxCredential is the largest credential file that is read, in bytes.
const maxCredential = 64 << 10

func (f *fileCredentials) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	v := credentials.Value{SignerType: credentials.SignatureV4}
	for _, c := range []struct {
		file string
		into *string
	}{
		{f.options.AccessKeyFile, &v.AccessKeyID},
		{f.options.SecretKeyFile, &v.SecretAccessKey},
		{f.options.SessionTokenFile, &v.SessionToken},
	} {
		if c.file == "" {
			continue
		}
		data, err := os.ReadFile(c.file)
		if err != nil {
			return credentials.Value{}, fmt.Errorf("read credential: %w", err)
		}
		if data = bytes.TrimSpace(data); len(data) == 0 || len(data) > maxCredential {
			return credentials.Value{}, fmt.Errorf("read credential %s: expected 1 to %d bytes, found %d", c.file, maxCredential, len(data))
		}
		*c.into = string(data)
	}
	f.mu.Lock()
	f.read = time.Now()
	f.mu.Unlock()
	return v, nil
}

// Retrieve is the older form of RetrieveWithCredContext.
func (f *fileCredentials) Retrieve() (credentials.Value, error) {
	return f.RetrieveWithCredContext(&credentials.CredContext{Context: context.Background()})
}

func (f *fileCredentials) IsExpired() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.read) > fileCredentialsFor
}

func trust(caFile string) (*x509.CertPool, error) {
	data, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read s3.caFile: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("read s3.caFile %s: expected PEM certificates, found none", caFile)
	}
	return pool, nil
}
