package checks

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/distribution/reference"
)

// image is an image reference in its full form.
type image struct {
	// repository holds registry and path: "docker.io/library/nginx".
	repository string
	// tag is empty when there is none and a digest is given.
	tag string
	// digest is "sha256:…" or empty.
	digest string
}

// String writes the reference in full.
func (i image) String() string {
	s := i.repository
	if i.tag != "" {
		s += ":" + i.tag
	}
	if i.digest != "" {
		s += "@" + i.digest
	}
	return s
}

// maxReference is the longest image reference that is read, in bytes.
const maxReference = 1024

// colonDigest is a digest where a tag should be, as it comes out when values
// hold a digest as the tag: "image:sha256:…".
var colonDigest = regexp.MustCompile(`:(sha256:[0-9a-f]{64})$`)

// parseImage reads an image reference as container runtimes do: the registry
// defaults to docker.io, a single name to library/, a missing tag to latest.
// "image:sha256:…" is taken as "image@sha256:…".
func parseImage(s string) (image, error) {
	if len(s) > maxReference {
		return image{}, fmt.Errorf("read image reference: %d bytes, limit maxReference %d", len(s), maxReference)
	}
	s = colonDigest.ReplaceAllString(strings.TrimSpace(s), "@$1")
	named, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return image{}, fmt.Errorf("read image reference %.200q: expected repository:tag or repository@sha256:…: %w", s, err)
	}
	named = reference.TagNameOnly(named)
	i := image{repository: named.Name()}
	if t, ok := named.(reference.Tagged); ok {
		i.tag = t.Tag()
	}
	if d, ok := named.(reference.Digested); ok {
		i.digest = d.Digest().String()
	}
	return i, nil
}

// same reports whether both name one image as far as the references tell:
// equal digests decide where both have one, else the tags must be equal. A
// reference without a digest never equals one by digest alone.
func (i image) same(o image) bool {
	if i.repository != o.repository {
		return false
	}
	if i.digest != "" && o.digest != "" {
		return i.digest == o.digest
	}
	return i.tag != "" && i.tag == o.tag
}

// imageIDDigest is the digest of a container status' imageID when that names
// a registry's digest ("repo@sha256:…", with or without "docker-pullable://").
// A bare "sha256:…" is the runtime's own name for the image and tells nothing.
func imageIDDigest(id string) (repository, digest string) {
	if _, rest, ok := strings.Cut(id, "://"); ok {
		id = rest
	}
	if !strings.Contains(id, "@") {
		return "", ""
	}
	i, err := parseImage(id)
	if err != nil {
		return "", ""
	}
	return i.repository, i.digest
}
