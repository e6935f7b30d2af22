package harness

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"github.com/minio/minio-go/v7"
	s3credentials "github.com/minio/minio-go/v7/pkg/credentials"
)

// MinIO is an S3 store of a test, without TLS.
type MinIO struct {
	// Endpoint is host:port.
	Endpoint             string
	AccessKey, SecretKey string
	Client               *minio.Client
	Process              *Process

	stage *Stage
}

// StartMinIO starts an empty S3 store.
func StartMinIO(ctx context.Context, opts Options) (*MinIO, error) {
	opts = opts.or("minio")
	path, err := Tool(ctx, "minio", opts.Log)
	if err != nil {
		return nil, err
	}
	stage, err := NewStage(opts.Dir)
	if err != nil {
		return nil, err
	}
	m := &MinIO{AccessKey: "syncgate", SecretKey: rand.Text(), stage: stage}
	err = WithPorts(2, func(ports []int) error { return m.start(ctx, path, ports) })
	if err != nil {
		return nil, errors.Join(err, stage.Stop())
	}
	return m, nil
}

// Stop stops the store. It may be called again.
func (m *MinIO) Stop() error { return m.stage.Stop() }

// Bucket makes a bucket, versioned when asked.
func (m *MinIO) Bucket(ctx context.Context, name string, versioned bool) error {
	if err := m.Client.MakeBucket(ctx, name, minio.MakeBucketOptions{}); err != nil {
		return fmt.Errorf("make bucket %s: %w", name, err)
	}
	if !versioned {
		return nil
	}
	if err := m.Client.EnableVersioning(ctx, name); err != nil {
		return fmt.Errorf("make bucket %s versioned: %w", name, err)
	}
	return nil
}

func (m *MinIO) start(ctx context.Context, path string, ports []int) (err error) {
	m.Endpoint = fmt.Sprintf("%s:%d", host, ports[0])
	m.Client, err = minio.New(m.Endpoint, &minio.Options{
		Creds:           s3credentials.NewStaticV4(m.AccessKey, m.SecretKey, ""),
		TrailingHeaders: true, // for checksums of uploads
	})
	if err != nil {
		return fmt.Errorf("make S3 client: %w", err)
	}
	m.Process, err = m.stage.Start(ctx, Command{
		Name: "minio", Path: path,
		Args: []string{
			"server", "--quiet", "--address=" + m.Endpoint,
			fmt.Sprintf("--console-address=%s:%d", host, ports[1]), m.stage.Path("data"),
		},
		Env: []string{
			"HOME=" + m.stage.Dir, "PATH=" + os.Getenv("PATH"),
			"MINIO_ROOT_USER=" + m.AccessKey, "MINIO_ROOT_PASSWORD=" + m.SecretKey,
			"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CI_CD=1",
		},
		// Listing needs the key: another store on this port would refuse it.
		Ready: func(ctx context.Context) error {
			_, err := m.Client.ListBuckets(ctx)
			return err
		},
	})
	return err
}
