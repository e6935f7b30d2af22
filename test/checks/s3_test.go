package checks_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/backup"
	"github.com/syncgate/syncgate/hooks/backup/storetest"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/hooks/checks"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/test/harness"
)

// s3 is a running MinIO and a client that uploads to it as backup tools do.
type s3 struct {
	*harness.MinIO
	core *minio.Core
}

func TestS3(t *testing.T) {
	harness.Real(t)
	server, err := harness.StartMinIO(t.Context(), harness.Options{})
	noError(t, err)
	t.Cleanup(func() { noError(t, server.Stop()) })
	core, err := minio.NewCore(server.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(server.AccessKey, server.SecretKey, ""), TrailingHeaders: true,
	})
	noError(t, err)
	m := s3{server, core}
	t.Run("conforms", m.conforms)
	t.Run("faults", m.faults)
	t.Run("checksums", m.checksums)
	t.Run("refuses", m.refuses)
	t.Run("versions", m.versions)
	t.Run("credential files", m.credentialFiles)
	t.Run("check", m.check)
}

// bucket makes a bucket and opens a store in it.
func (m s3) bucket(t *testing.T, name string, change ...func(*backup.StoreOptions)) *backup.Stores {
	t.Helper()
	noError(t, m.Bucket(t.Context(), name, false))
	return m.open(t, name, change...)
}

func (m s3) open(t *testing.T, bucket string, change ...func(*backup.StoreOptions)) *backup.Stores {
	t.Helper()
	o := backup.StoreOptions{Name: "s3", S3: &backup.S3Options{
		Endpoint: "http://" + m.Endpoint, Bucket: bucket, AccessKey: m.AccessKey, SecretKey: m.SecretKey,
	}}
	for _, c := range change {
		c(&o)
	}
	stores, err := backup.Open([]backup.StoreOptions{o}, slog.New(slog.DiscardHandler))
	noError(t, err)
	t.Cleanup(stores.Close)
	return stores
}

func (m s3) put(t *testing.T, bucket, key string, content []byte, opts minio.PutObjectOptions) {
	t.Helper()
	_, err := m.core.Client.PutObject(t.Context(), bucket, key, bytes.NewReader(content), int64(len(content)), opts)
	noError(t, err)
}

func newest(t *testing.T, stores *backup.Stores, prefix string) (backup.Store, backup.Object) {
	t.Helper()
	store, err := stores.Get("s3")
	noError(t, err)
	o, err := store.Newest(t.Context(), prefix, "")
	noError(t, err)
	return store, o
}

func (m s3) conforms(t *testing.T) {
	n := 0
	storetest.Conformance(t, func(t *testing.T, maxObjects int) storetest.Fixture {
		n++
		bucket := fmt.Sprintf("conforms-%d", n)
		stores := m.bucket(t, bucket, func(o *backup.StoreOptions) { o.MaxObjects = maxObjects })
		var last time.Time
		return storetest.Fixture{
			Stores: stores, Name: "s3",
			Put: func(key string, content []byte) {
				t.Helper()
				// Until the store's clock has moved on: listings tell
				// milliseconds.
				for {
					m.put(t, bucket, key, content, minio.PutObjectOptions{})
					if at := m.modified(t, bucket, key); at.After(last) {
						last = at
						return
					}
				}
			},
			Delete: func(key string) {
				t.Helper()
				noError(t, m.core.RemoveObject(t.Context(), bucket, key, minio.RemoveObjectOptions{}))
			},
		}
	})
}

func (m s3) modified(t *testing.T, bucket, key string) time.Time {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for info := range m.core.Client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: key}) {
		noError(t, info.Err)
		if info.Key == key {
			return info.LastModified
		}
	}
	t.Fatalf("%s is not listed", key)
	return time.Time{}
}

func (m s3) faults(t *testing.T) {
	noError(t, m.Bucket(t.Context(), "faults", false))
	for name, c := range map[string]struct {
		bucket string
		change func(*backup.StoreOptions)
		want   string
	}{
		"a wrong key":      {"faults", func(o *backup.StoreOptions) { o.S3.SecretKey = "wrong-wrong-wrong" }, "credentials"},
		"an unknown user":  {"faults", func(o *backup.StoreOptions) { o.S3.AccessKey = "nobody" }, "credentials"},
		"a missing bucket": {"nowhere", func(*backup.StoreOptions) {}, "correct the bucket's name"},
		"nobody there":     {"faults", func(o *backup.StoreOptions) { o.S3.Endpoint = "http://127.0.0.1:1" }, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := m.open(t, c.bucket, c.change).Get("s3")
			noError(t, err)
			o, err := store.Newest(t.Context(), "", "")
			if err == nil || errors.Is(err, backup.ErrNone) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), m.SecretKey) {
				t.Fatalf("expected an error with %q that is not ErrNone, found %+v, %v", c.want, o, err)
			}
		})
	}
}

// upload writes an object in parts of 5 MiB, the least that S3 takes, with a
// SHA-256 of each part if asked.
func (m s3) upload(t *testing.T, bucket, key string, parts [][]byte, sums bool) {
	t.Helper()
	opts := minio.PutObjectOptions{}
	if sums {
		opts.UserMetadata = map[string]string{"X-Amz-Checksum-Algorithm": "SHA256"}
	}
	id, err := m.core.NewMultipartUpload(t.Context(), bucket, key, opts)
	noError(t, err)
	var done []minio.CompletePart
	for i, part := range parts {
		put := minio.PutObjectPartOptions{}
		sum := sha256.Sum256(part)
		text := base64.StdEncoding.EncodeToString(sum[:])
		if sums {
			put.CustomHeader = http.Header{"X-Amz-Checksum-Sha256": {text}}
		}
		p, err := m.core.PutObjectPart(t.Context(), bucket, key, id, i+1, bytes.NewReader(part), int64(len(part)), put)
		noError(t, err)
		complete := minio.CompletePart{PartNumber: i + 1, ETag: p.ETag}
		if sums {
			complete.ChecksumSHA256 = text
		}
		done = append(done, complete)
	}
	_, err = m.core.CompleteMultipartUpload(t.Context(), bucket, key, id, done, minio.PutObjectOptions{})
	noError(t, err)
}

func (m s3) checksums(t *testing.T) {
	const mib = 1 << 20
	stores := m.bucket(t, "checksums")
	small := bytes.Repeat([]byte("backup "), 1000)
	parts := [][]byte{bytes.Repeat([]byte("a"), 5*mib), bytes.Repeat([]byte("b"), 6*mib), []byte("the end")}
	all := bytes.Join(parts, nil)
	sidecar := func(key string, content []byte) {
		m.put(t, "checksums", key+".sha256", fmt.Appendf(nil, "%x  %s\n", sha256.Sum256(content), filepath.Base(key)), minio.PutObjectOptions{})
	}
	for name, c := range map[string]struct {
		put   func(key string)
		whole bool
		why   string
	}{
		"SHA-256 of the whole": {func(key string) {
			m.put(t, "checksums", key, small, minio.PutObjectOptions{Checksum: minio.ChecksumSHA256, DisableMultipart: true})
		}, true, "x-amz-checksum-sha256"},
		"SHA-256 and a checksum file": {func(key string) {
			m.put(t, "checksums", key, small, minio.PutObjectOptions{Checksum: minio.ChecksumSHA256, DisableMultipart: true})
			sidecar(key, small)
		}, true, ".sha256 and x-amz-checksum-sha256"},
		"uploaded whole, but not all of it": {func(key string) {
			// The upload's own checksum holds over what was uploaded.
			m.put(t, "checksums", key, small[:5000], minio.PutObjectOptions{Checksum: minio.ChecksumSHA256, DisableMultipart: true})
			sidecar(key, small)
		}, false, ".sha256"},
		"another checksum": {func(key string) {
			m.put(t, "checksums", key, small, minio.PutObjectOptions{Checksum: minio.ChecksumCRC32C, DisableMultipart: true})
		}, false, "keeps no SHA-256"},
		"an ETag that is its MD5": {func(key string) {
			m.put(t, "checksums", key, small, minio.PutObjectOptions{SendContentMd5: true, DisableMultipart: true})
		}, false, "keeps no SHA-256"},
		"parts with SHA-256":    {func(key string) { m.upload(t, "checksums", key, parts, true) }, true, "x-amz-checksum-sha256 of the parts"},
		"parts without SHA-256": {func(key string) { m.upload(t, "checksums", key, parts, false) }, false, "keeps no SHA-256"},
		"parts and a checksum file": {func(key string) {
			m.upload(t, "checksums", key, parts, false)
			sidecar(key, all)
		}, true, ".sha256"},
		"parts with SHA-256, one too few": {func(key string) {
			m.upload(t, "checksums", key, parts[:2], true)
			sidecar(key, all)
		}, false, ".sha256"},
		"one part with SHA-256": {func(key string) { m.upload(t, "checksums", key, parts[2:], true) }, true, "of the parts"},
	} {
		t.Run(name, func(t *testing.T) {
			prefix := strings.ReplaceAll(name, " ", "-") + "/"
			c.put(prefix + "db.gz")
			_, o := newest(t, stores, prefix)
			p, err := stores.Prove(t.Context(), o, time.Minute)
			noError(t, err)
			if p.Whole != c.whole || p.Reading || !strings.Contains(p.Why, c.why) || (p.Fix == "") != c.whole {
				t.Fatalf("expected whole %v with %q, found %+v", c.whole, c.why, p)
			}
		})
	}
}

// The server that the tests run against is one that refuses a bad checksum:
// what it keeps, it has checked.
func (m s3) refuses(t *testing.T) {
	noError(t, m.Bucket(t.Context(), "refuses", false))
	sum := sha256.Sum256([]byte("other"))
	opts := minio.PutObjectOptions{UserMetadata: map[string]string{"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(sum[:])}}
	_, err := m.core.PutObject(t.Context(), "refuses", "a", strings.NewReader("content"), 7, "", "", opts)
	if err == nil {
		t.Fatal("expected that the upload is refused")
	}
	store, err := m.open(t, "refuses").Get("s3")
	noError(t, err)
	if o, err := store.Newest(t.Context(), "", ""); !errors.Is(err, backup.ErrNone) {
		t.Fatalf("expected none, found %+v, %v", o, err)
	}
}

// Of a bucket that keeps versions, the current one counts; one that is deleted
// is none, though its older versions are there.
func (m s3) versions(t *testing.T) {
	noError(t, m.Bucket(t.Context(), "versions", true))
	stores := m.open(t, "versions")
	opts := minio.PutObjectOptions{Checksum: minio.ChecksumSHA256, DisableMultipart: true}
	m.put(t, "versions", "db.gz", []byte("one"), opts)
	store, first := newest(t, stores, "")
	m.put(t, "versions", "db.gz", []byte("two"), opts)
	_, second := newest(t, stores, "")
	if p, err := stores.Prove(t.Context(), first, time.Minute); !errors.Is(err, backup.ErrChanged) {
		t.Fatalf("expected ErrChanged for the older version, found %+v, %v", p, err)
	}
	if p, err := stores.Prove(t.Context(), second, time.Minute); err != nil || !p.Whole {
		t.Fatalf("expected the newer version whole, found %+v, %v", p, err)
	}
	noError(t, m.core.RemoveObject(t.Context(), "versions", "db.gz", minio.RemoveObjectOptions{}))
	if o, err := store.Newest(t.Context(), "", ""); !errors.Is(err, backup.ErrNone) {
		t.Fatalf("expected none, found %+v, %v", o, err)
	}
}

func (m s3) credentialFiles(t *testing.T) {
	dir := t.TempDir()
	access, secret := filepath.Join(dir, "access"), filepath.Join(dir, "secret")
	noError(t, os.WriteFile(access, []byte(m.AccessKey+"\n"), 0o600))
	stores := m.bucket(t, "files", func(o *backup.StoreOptions) {
		o.S3.AccessKey, o.S3.SecretKey, o.S3.AccessKeyFile, o.S3.SecretKeyFile = "", "", access, secret
	})
	store, err := stores.Get("s3")
	noError(t, err)
	if _, err := store.Newest(t.Context(), "", ""); err == nil || errors.Is(err, backup.ErrNone) || !strings.Contains(err.Error(), "secret") {
		t.Fatalf("expected an error that names the missing file, found %v", err)
	}
	noError(t, os.WriteFile(secret, []byte(m.SecretKey), 0o600))
	if _, err := store.Newest(t.Context(), "", ""); !errors.Is(err, backup.ErrNone) {
		t.Fatalf("expected an answer once the file is there, found %v", err)
	}
}

// The whole check, from none to a backup that is proved.
func (m s3) check(t *testing.T) {
	stores := m.bucket(t, "check")
	madeAt := func(now func() time.Time) check.Check {
		c, err := checks.New(checks.Options{Stores: stores, Now: now})(gate.Check{Name: "backup", Backup: &gate.BackupCheck{
			MaxAge: gate.Duration(24 * time.Hour), Objects: &gate.ObjectBackup{Store: "s3", Prefix: "${cluster}/", Suffix: ".sql.gz", MinSize: "1Ki"},
		}})
		noError(t, err)
		return c
	}
	asker, in := madeAt(time.Now), check.Target{Change: hooks.Change{Cluster: "eu"}}
	ask(t, asker, in, hooks.Wait, "found none", "eu/")
	content := bytes.Repeat([]byte("backup "), 1000)
	m.put(t, "check", "eu/db.sql.gz", content, minio.PutObjectOptions{})
	ask(t, asker, in, hooks.Wait, "keeps no SHA-256")
	ask(t, madeAt(later(3*time.Minute)), in, hooks.Fail, "keeps no SHA-256", "eu/db.sql.gz.sha256")
	m.put(t, "check", "eu/db.sql.gz.sha256", fmt.Appendf(nil, "%x  db.sql.gz\n", sha256.Sum256(content)), minio.PutObjectOptions{})
	a := ask(t, asker, in, hooks.Pass, "s3://check/eu/db.sql.gz", "proof complete")
	if a.Backup == nil || a.Backup.Location != "s3://check/eu/db.sql.gz" || a.Backup.Size != int64(len(content)) || a.Backup.Proof != "complete" {
		t.Errorf("expected the backup, found %+v", a.Backup)
	}
	ask(t, madeAt(later(25*time.Hour)), in, hooks.Wait, "take a new backup")
}
