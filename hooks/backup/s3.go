package backup

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"
)

// bucket is a Store in a bucket of S3 or of a service that speaks it.
type bucket struct {
	name       string
	bucket     string
	endpoint   string
	client     *minio.Core
	maxObjects int
}

func (b *bucket) location(key string) string { return "s3://" + b.bucket + "/" + key }

// Newest lists the bucket below prefix.
func (b *bucket) Newest(ctx context.Context, prefix, suffix string) (Object, error) {
	// Ends the listing when it is given up before its end.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var best Object
	found, listed := false, 0
	for info := range b.client.Client.ListObjects(ctx, b.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if info.Err != nil {
			return Object{}, b.failed("list", b.location(prefix), info.Err)
		}
		if listed++; listed > b.maxObjects {
			return Object{}, tooMany("bucket "+b.bucket, prefix, b.maxObjects)
		}
		if skipped(info.Key) || !strings.HasSuffix(info.Key, suffix) {
			continue
		}
		o := Object{
			Store: b.name, Key: info.Key, Location: b.location(info.Key),
			Size: info.Size, Modified: info.LastModified, Version: etag(info.ETag),
		}
		if !found || newer(o, best) {
			best, found = o, true
		}
	}
	if err := ctx.Err(); err != nil {
		return Object{}, b.failed("list", b.location(prefix), err)
	}
	if !found {
		return Object{}, fmt.Errorf("store %s: bucket %s at %s: prefix %q suffix %q: %w", b.name, b.bucket, b.endpoint, prefix, suffix, ErrNone)
	}
	return best, nil
}

func etag(s string) string { return strings.Trim(s, `"`) }

// Checksums are what S3 keeps for the object, x-amz-checksum-sha256, and what
// the checksum file beside it says. An ETag is none: what it is made of
// depends on how the object was uploaded and encrypted.
func (b *bucket) Checksums(ctx context.Context, o Object) ([]Checksum, error) {
	var sums []Checksum
	sidecar, err := b.sidecar(ctx, o)
	if err != nil {
		return nil, err
	}
	if sidecar != nil {
		sums = append(sums, *sidecar)
	}
	info, err := b.client.StatObject(ctx, b.bucket, o.Key, minio.StatObjectOptions{Checksum: true})
	if err != nil {
		return nil, b.failed("stat", o.Location, err)
	}
	if etag(info.ETag) != o.Version || info.Size != o.Size {
		return nil, fmt.Errorf("stat %s: %w", o.Location, ErrChanged)
	}
	if info.ChecksumSHA256 == "" {
		return sums, nil
	}
	sum, err := b.stored(ctx, o, info)
	switch {
	case err == nil:
		return append(sums, sum), nil
	case sidecar != nil && !errors.Is(err, ErrChanged):
		// The checksum file proves the content without it.
		return sums, nil
	default:
		return nil, err
	}
}

// stored reads x-amz-checksum-sha256. Of a multipart upload it is the checksum
// of the parts' checksums, with "-" and their number behind it.
func (b *bucket) stored(ctx context.Context, o Object, info minio.ObjectInfo) (Checksum, error) {
	sum := Checksum{Source: "x-amz-checksum-sha256"}
	digest, count, composite := strings.Cut(info.ChecksumSHA256, "-")
	raw, err := base64.StdEncoding.DecodeString(digest)
	if err != nil || len(raw) != sha256.Size {
		return sum, fmt.Errorf("read x-amz-checksum-sha256 of %s: expected base64 of 32 bytes, found %.80q", o.Location, info.ChecksumSHA256)
	}
	copy(sum.Sum[:], raw)
	if !composite && info.ChecksumMode != "COMPOSITE" && !strings.Contains(info.ETag, "-") {
		return sum, nil
	}
	sum.Source += " of the parts"
	sum.Parts, err = b.parts(ctx, o)
	if err == nil && composite && count != fmt.Sprint(len(sum.Parts)) {
		err = fmt.Errorf("read parts of %s: expected %.20s, found %d", o.Location, count, len(sum.Parts))
	}
	return sum, err
}

// maxParts is the most that S3 allows in one upload.
const maxParts = 10_000

// parts are the sizes of the parts the object was uploaded in.
func (b *bucket) parts(ctx context.Context, o Object) ([]int64, error) {
	var sizes []int64
	var total int64
	for marker := 0; ; {
		attr, err := b.client.GetObjectAttributes(ctx, b.bucket, o.Key, minio.ObjectAttributesOptions{PartNumberMarker: marker})
		if err != nil {
			return nil, b.failed("get attributes (parts) of", o.Location, err)
		}
		if etag(attr.ETag) != o.Version {
			return nil, fmt.Errorf("get attributes of %s: %w", o.Location, ErrChanged)
		}
		for _, p := range attr.ObjectParts.Parts {
			sizes = append(sizes, int64(p.Size))
			total += int64(p.Size)
		}
		next := attr.ObjectParts.NextPartNumberMarker
		if !attr.ObjectParts.IsTruncated || next <= marker || len(sizes) > maxParts {
			break
		}
		marker = next
	}
	if len(sizes) == 0 || len(sizes) > maxParts || total != o.Size {
		return nil, fmt.Errorf("get attributes of %s: expected parts of %d bytes together, found %d parts of %d bytes; put a checksum file %s%s beside the object", o.Location, o.Size, len(sizes), total, o.Key, SidecarSuffix)
	}
	return sizes, nil
}

func (b *bucket) sidecar(ctx context.Context, o Object) (*Checksum, error) {
	key := o.Key + SidecarSuffix
	body, _, _, err := b.client.GetObject(ctx, b.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
			return nil, nil
		}
		return nil, b.failed("get", b.location(key), err)
	}
	defer body.Close()
	sum, err := readSidecar(body, b.location(key), o.Key)
	if err != nil {
		return nil, err
	}
	return &sum, nil
}

// Open reads the object if it still has the ETag it was listed with.
func (b *bucket) Open(ctx context.Context, o Object) (io.ReadCloser, error) {
	opts := minio.GetObjectOptions{}
	if err := opts.SetMatchETag(o.Version); err != nil {
		return nil, fmt.Errorf("get %s: %w", o.Location, err)
	}
	body, _, _, err := b.client.GetObject(ctx, b.bucket, o.Key, opts)
	if err != nil {
		return nil, b.failed("get", o.Location, err)
	}
	return body, nil
}

// failed says what could not be done and, where the answer's code tells, what
// to do about it. An object that is gone or replaced is ErrChanged.
func (b *bucket) failed(verb, location string, err error) error {
	answer := minio.ToErrorResponse(err)
	if answer.StatusCode == http.StatusPreconditionFailed || answer.Code == minio.NoSuchKey {
		return fmt.Errorf("%s %s: %w", verb, location, ErrChanged)
	}
	err = fmt.Errorf("%s %s of store %s at %s: %w", verb, location, b.name, b.endpoint, err)
	if remedy := b.remedy(answer); remedy != "" {
		err = fmt.Errorf("%w (%s): %s", err, answer.Code, remedy)
	}
	return err
}

func (b *bucket) remedy(answer minio.ErrorResponse) string {
	switch answer.Code {
	case minio.NoSuchBucket:
		return "correct the bucket's name in the server's configuration, or create it"
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken":
		return "correct the store's credentials (accessKeyFile, secretKeyFile)"
	case minio.AccessDenied:
		return fmt.Sprintf("allow s3:ListBucket on %s and s3:GetObject, s3:GetObjectAttributes on %s/*", b.bucket, b.bucket)
	}
	return ""
}
