// Package backup looks at backups and says how well they are known to be good.
// A Store holds backups as objects: a folder or a bucket of any S3, one file
// each. Stores reads objects to hold them against their checksums, each object
// once however often it is asked. Snapshots are VolumeSnapshots in a cluster.
package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Store holds backups as objects with slash-separated keys. Every Store passes
// the same conformance test.
type Store interface {
	// Newest is the object that was modified last among those whose key
	// starts with prefix and ends with suffix, the greater key of two equally
	// old. Checksum files (SidecarSuffix) and empty folder markers are no
	// objects. ErrNone when there is none. Any other error means that the
	// store could not be asked, also when it holds more than its limit.
	Newest(ctx context.Context, prefix, suffix string) (Object, error)
	// Checksums are the SHA-256 checksums that the store keeps for exactly
	// this object, none if it keeps none. ErrChanged when the object is no
	// longer the one given.
	Checksums(ctx context.Context, o Object) ([]Checksum, error)
	// Open reads exactly this object from its start. ErrChanged, here or
	// while reading, when the object is no longer the one given.
	Open(ctx context.Context, o Object) (io.ReadCloser, error)
}

// What a Store says when the answer is no; anything else could not be found
// out.
var (
	ErrNone    = errors.New("no such object")
	ErrChanged = errors.New("the object changed or was removed meanwhile")
)

// SidecarSuffix ends the name of the file beside an object that holds its
// checksum, in the format of sha256sum.
const SidecarSuffix = ".sha256"

// Object is one backup in a Store at one time.
type Object struct {
	// Store is the store's name in the server's configuration.
	Store string
	Key   string
	// Location is the object's URL without credentials.
	Location string
	// Size in bytes.
	Size     int64
	Modified time.Time
	// Version tells contents under one key apart: an S3 version or ETag, a
	// file's inode and change time. It is never taken for a checksum.
	Version string
	// MayGrow is true when the store shows an object before it is written to
	// its end, as a folder does.
	MayGrow bool
}

func (o Object) identity() string {
	return strings.Join([]string{o.Store, o.Key, o.Version, strconv.FormatInt(o.Size, 10), o.Modified.UTC().Format(time.RFC3339Nano)}, "\x00")
}

// Checksum is what an object's content must come to.
type Checksum struct {
	// Source names where the checksum stands.
	Source string
	// Sum is the SHA-256 of the whole content; with Parts, the SHA-256 of the
	// parts' SHA-256 digests, as S3 keeps it for multipart uploads.
	Sum [sha256.Size]byte
	// Parts are the sizes of the parts, in order; nil for the whole content.
	Parts []int64
}

// FolderOptions are a Store in a folder of the server, usually a mounted
// volume.
type FolderOptions struct {
	// Path is the folder. Nothing outside of it is read; symbolic links are
	// not followed.
	Path string `json:"path"`
}

// S3Options are a Store in a bucket.
type S3Options struct {
	// Endpoint is the service's URL without the bucket,
	// "https://s3.eu-central-1.amazonaws.com".
	Endpoint string `json:"endpoint"`
	Bucket   string `json:"bucket"`
	// Region; by default the service is asked for the bucket's.
	Region string `json:"region,omitempty"`
	// PathStyle is "auto" (the default), "path" or "dns": where the bucket's
	// name stands in a request.
	PathStyle string `json:"pathStyle,omitempty"`
	// CAFile holds PEM certificates to trust beside the system's.
	CAFile string `json:"caFile,omitempty"`
	// AccessKeyFile, SecretKeyFile and SessionTokenFile hold the credentials,
	// one each. They are read again when they may have been rotated.
	AccessKeyFile    string `json:"accessKeyFile,omitempty"`
	SecretKeyFile    string `json:"secretKeyFile,omitempty"`
	SessionTokenFile string `json:"sessionTokenFile,omitempty"`
	// IAM takes the credentials that AWS gives to the pod or machine.
	IAM bool `json:"iam,omitempty"`
	// AccessKey and SecretKey are credentials from the environment.
	AccessKey string `json:"-"`
	SecretKey string `json:"-"`
}

// StoreOptions are one entry of the server's list of stores. Exactly one of
// Folder and S3 is set.
type StoreOptions struct {
	// Name is what Gates call the store.
	Name   string         `json:"name"`
	Folder *FolderOptions `json:"folder,omitempty"`
	S3     *S3Options     `json:"s3,omitempty"`
	// MaxObjects is how many objects one question lists at most. Default
	// 100,000.
	MaxObjects int `json:"maxObjects,omitempty"`
	// MaxRead is the size in bytes up to which an object is read to prove it.
	// Default 1 TiB.
	MaxRead int64 `json:"maxRead,omitempty"`
}

// The defaults of StoreOptions.
const (
	DefaultMaxObjects       = 100_000
	DefaultMaxRead    int64 = 1 << 40
)

func (o StoreOptions) maxObjects() int {
	if o.MaxObjects <= 0 {
		return DefaultMaxObjects
	}
	return o.MaxObjects
}

func (o StoreOptions) maxRead() int64 {
	if o.MaxRead <= 0 {
		return DefaultMaxRead
	}
	return o.MaxRead
}

// open makes the Store that o describes. It contacts nothing.
func (o StoreOptions) open() (Store, error) {
	switch {
	case o.Name == "":
		return nil, errors.New("name: expected the name that Gates use for the store, found nothing")
	case (o.Folder == nil) == (o.S3 == nil):
		return nil, errors.New("expected exactly one of folder and s3")
	case o.Folder != nil:
		return newFolder(o)
	default:
		return newS3(o)
	}
}

// skipped reports whether a key is no backup whatever the question.
func skipped(key string) bool {
	return strings.HasSuffix(key, SidecarSuffix) || strings.HasSuffix(key, "/")
}

// newer reports whether a is to be taken before b.
func newer(a, b Object) bool {
	if !a.Modified.Equal(b.Modified) {
		return a.Modified.After(b.Modified)
	}
	return a.Key > b.Key
}

// tooMany is the error of a listing that does not end.
func tooMany(location, prefix string, limit int) error {
	return fmt.Errorf("list %s prefix %q: more than %d objects (limit maxObjects): give a longer prefix or raise the limit in the server's configuration", location, prefix, limit)
}
