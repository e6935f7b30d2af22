// Package image reads references to container images and says which of them
// name one image.
package image

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/distribution/reference"
)

// Reference is an image reference in its full form.
type Reference struct {
	// Repository holds registry and path: "docker.io/library/nginx".
	Repository string
	// Tag is empty when there is none and a digest is given.
	Tag string
	// Digest is "sha256:…" or empty.
	Digest string
}

// String writes the reference in full.
func (i Reference) String() string {
	s := i.Repository
	if i.Tag != "" {
		s += ":" + i.Tag
	}
	if i.Digest != "" {
		s += "@" + i.Digest
	}
	return s
}

// maxReference is the longest image reference that is read, in bytes.
const maxReference = 1024

// colonDigest is a digest where a tag should be, as it comes out when values
// hold a digest as the tag: "image:sha256:…".
var colonDigest = regexp.MustCompile(`:(sha256:[0-9a-f]{64})$`)

// Parse reads an image reference as container runtimes do: the registry
// defaults to docker.io, a single name to library/, a missing tag to latest.
// "image:sha256:…" is taken as "image@sha256:…".
func Parse(s string) (Reference, error) {
	if len(s) > maxReference {
		return Reference{}, fmt.Errorf("read image reference: %d bytes, limit maxReference %d", len(s), maxReference)
	}
	s = colonDigest.ReplaceAllString(strings.TrimSpace(s), "@$1")
	named, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return Reference{}, fmt.Errorf("read image reference %.200q: expected repository:tag or repository@sha256:…: %w", s, err)
	}
	named = reference.TagNameOnly(named)
	i := Reference{Repository: named.Name()}
	if t, ok := named.(reference.Tagged); ok {
		i.Tag = t.Tag()
	}
	if d, ok := named.(reference.Digested); ok {
		i.Digest = d.Digest().String()
	}
	return i, nil
}

// Same reports whether both name one image as far as the references tell:
// equal digests decide where both have one, else the tags must be equal. A
// reference without a digest never equals one by digest alone.
func (i Reference) Same(o Reference) bool {
	if i.Repository != o.Repository {
		return false
	}
	if i.Digest != "" && o.Digest != "" {
		return i.Digest == o.Digest
	}
	return i.Tag != "" && i.Tag == o.Tag
}

// FromID is the repository and digest of a container status' imageID when that names
// a registry's digest ("repo@sha256:…", with or without "docker-pullable://").
// A bare "sha256:…" is the runtime's own name for the image and tells nothing.
func FromID(id string) (repository, digest string) {
	if _, rest, ok := strings.Cut(id, "://"); ok {
		id = rest
	}
	if !strings.Contains(id, "@") {
		return "", ""
	}
	i, err := Parse(id)
	if err != nil {
		return "", ""
	}
	return i.Repository, i.Digest
}
