package harness_test

import (
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	s3credentials "github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/syncgate/syncgate/test/harness"
)

func TestMinIOKeepsObjectsForThoseWithTheKey(t *testing.T) {
	harness.Real(t)
	m, err := harness.StartMinIO(t.Context(), harness.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
		if err := gone(m.Process.PID()); err != nil {
			t.Error(err)
		}
	})
	ctx := t.Context()
	if err := m.Bucket(ctx, "backups", true); err != nil {
		t.Fatal(err)
	}
	put, err := m.Client.PutObject(ctx, "backups", "a/b", strings.NewReader("data"), 4, minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if put.VersionID == "" {
		t.Error("a versioned bucket gave an object no version")
	}
	stranger, err := minio.New(m.Endpoint, &minio.Options{Creds: s3credentials.NewStaticV4(m.AccessKey, "wrong", "")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.StatObject(ctx, "backups", "a/b", minio.StatObjectOptions{}); err == nil {
		t.Error("a wrong key was accepted")
	}
}
