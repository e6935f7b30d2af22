package rules

import (
	"fmt"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/values"
)

// image is an image as values name it, in whichever of the usual forms.
type image struct {
	name, tag, digest string
	// whole is true when the name is a reference by itself, in which no tag
	// means latest; otherwise the chart may have a tag of its own.
	whole bool
	node  *values.Node // the one that says the version, else the name
	key   string       // its key
}

// images looks at the images that a map names: {repository, tag, digest}, as
// most charts write them; {image, version} or {image, tag}, as custom resources
// do; and keys that end in Image.
func (x *Inspector) images(n *values.Node, path []string) {
	for _, i := range imagesOf(n, path) {
		at := below(path, keypath.Field(i.key))
		shown := i.name
		if i.tag != "" {
			shown += ":" + i.tag
		}
		said := finding.Said{Value: shorten(quote(shown))}
		if isCredential(shown) {
			said.Value = redacted
		}
		if i.digest == "" && (i.tag == "latest" || i.tag == "" && i.whole) {
			said.Problem = "expected a tag that stays, found latest"
			if i.tag == "" {
				said.Problem = "expected a tag that stays, found none, which means latest"
			}
			said.Fix = "name the release that is to run: what latest is changes without a commit"
			x.say(ForbiddenLatest, at, i.node, said)
		}
		if i.digest == "" {
			said.Problem = fmt.Sprintf("expected an image with its digest, found %s without", said.Value)
			said.Fix = "write the digest behind the tag, \"1.2.3@sha256:…\": a tag can be moved, a digest cannot"
			x.say(ForbiddenUnpinned, at, i.node, said)
		}
	}
}

func imagesOf(n *values.Node, path []string) []image {
	var all []image
	if repository := n.Get("repository"); isText(repository) {
		all = append(all, imageOf(repository, "repository", false, n, "tag", "digest"))
	} else if len(path) > 0 && isImageKey(path[len(path)-1]) && plainText(n.Get("tag")) != "" {
		all = append(all, imageOf(nil, "", false, n, "tag", "digest"))
	}
	for _, f := range n.Fields {
		if !isImageKey(f.Key) || !isText(f.Value) {
			continue
		}
		if f.Key == "image" {
			all = append(all, imageOf(f.Value, f.Key, true, n, "tag", "version", "imageTag", "digest", "imageDigest"))
		} else {
			all = append(all, imageOf(f.Value, f.Key, true, n, f.Key+"Tag", f.Key+"Digest"))
		}
	}
	return all
}

func isImageKey(key string) bool { return key == "image" || strings.HasSuffix(key, "Image") }

func isText(n *values.Node) bool { return n != nil && n.Kind == values.String && n.Text != "" }

// imageOf takes a reference apart, with the tag or digest that stands beside it
// under one of the keys.
func imageOf(reference *values.Node, key string, whole bool, beside *values.Node, keys ...string) image {
	i := image{node: reference, key: key, whole: whole}
	if reference != nil {
		i.name = reference.Text
	}
	i.name, i.digest, _ = strings.Cut(i.name, "@")
	if at := strings.LastIndexByte(i.name, ':'); at > strings.LastIndexByte(i.name, '/') {
		i.name, i.tag = i.name[:at], i.name[at+1:]
	}
	for _, k := range keys {
		n := beside.Get(k)
		text := plainText(n)
		if text == "" {
			continue
		}
		i.node, i.key = n, k
		tag, digest, _ := strings.Cut(text, "@")
		if strings.Contains(tag, ":") { // "sha256:…" alone
			tag, digest = "", tag
		}
		if tag != "" && i.tag == "" {
			i.tag = tag
		}
		if digest != "" {
			i.digest = digest
		}
	}
	return i
}

// plainText is a scalar as a template would write it, "" for anything else.
func plainText(n *values.Node) string {
	switch {
	case n == nil:
		return ""
	case n.Kind == values.String:
		return n.Text
	case n.Kind == values.Number:
		return values.FormatNumber(n.Num)
	default:
		return ""
	}
}
