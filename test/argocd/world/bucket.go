package world

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/syncgate/syncgate/hooks/backup"
	"github.com/syncgate/syncgate/test/harness"
)

// Bucket is the name of the store in S3, and of the bucket that it is.
const Bucket = "offsite"

// startBucket starts an S3 store with an empty bucket.
func (w *World) startBucket(ctx context.Context) (err error) {
	if w.s3, err = harness.StartMinIO(ctx, harness.Options{Dir: w.stage.Path("s3")}); err != nil {
		return err
	}
	return w.s3.Bucket(ctx, Bucket, true)
}

// bucketStore is how the gate server reads the bucket. The credentials lie in
// files, as a Secret's do.
func (w *World) bucketStore() (backup.StoreOptions, error) {
	access, secret := w.stage.Path("server", "s3-access-key"), w.stage.Path("server", "s3-secret-key")
	for file, text := range map[string]string{access: w.s3.AccessKey, secret: w.s3.SecretKey} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return backup.StoreOptions{}, err
		}
	}
	return backup.StoreOptions{Name: Bucket, S3: &backup.S3Options{
		Endpoint: "http://" + w.s3.Endpoint, Bucket: Bucket, PathStyle: "path", AccessKeyFile: access, SecretKeyFile: secret,
	}}, nil
}

// Upload puts a fresh dump of a cluster's database into the bucket, which keeps
// its checksum, and returns its name there.
func (s *Site) Upload(ctx context.Context, cluster string) (key string, err error) {
	data := make([]byte, 2<<20)
	_, _ = rand.Read(data)
	key = fmt.Sprintf("%s/%s/postgres/%s.dump", s.Name, cluster, time.Now().UTC().Format("20060102T150405.000Z"))
	_, err = s.w.s3.Client.PutObject(ctx, Bucket, key, bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{Checksum: minio.ChecksumSHA256})
	if err != nil {
		return "", fmt.Errorf("upload backup %s: %w", key, err)
	}
	return key, nil
}
