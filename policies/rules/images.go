package rules

import (
	"fmt"
	"path"
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
	// unknown is a part that cannot be read in Git, nil when there is none.
	unknown *values.Node
	key     string // its key
	entry   string // the segment below that key, of a list or map of images
}

// images looks at the images that a map names: {repository, tag, digest}, as
// most charts write them; {image, version} or {image, tag}, as custom resources
// do; keys that end in Image; {imageRepository, imageTag}; and lists and maps
// named images.
func (x *Inspector) images(n *values.Node, path []string) {
	for _, i := range imagesOf(n, path) {
		at := below(path, keypath.Field(i.key))
		if i.entry != "" {
			at = below(at, i.entry)
		}
		if i.unknown != nil {
			said := finding.Said{Value: i.unknown.Text, Fix: "name the image in plain values: it is no secret"}
			said.Problem = "expected a tag that stays, found " + i.unknown.Text + ", which cannot be read in Git"
			x.say(ForbiddenLatest, at, i.unknown, said)
			said.Problem = "expected an image with its digest, found " + i.unknown.Text + ", which cannot be read in Git"
			x.say(ForbiddenUnpinned, at, i.unknown, said)
			continue
		}
		shown := i.name
		if i.tag != "" {
			shown += ":" + i.tag
		}
		pinned := isDigest(i.digest)
		if i.digest != "" && !pinned {
			shown += "@" + i.digest
		}
		said := finding.Said{Value: shorten(quote(shown))}
		if isCredential(shown) {
			said.Value = redacted
		}
		if !pinned && (i.tag == "latest" || i.tag == "" && i.whole) {
			said.Problem = "expected a tag that stays, found latest"
			if i.tag == "" {
				said.Problem = "expected a tag that stays, found none, which means latest"
			}
			said.Fix = "name the release that is to run: what latest is changes without a commit"
			x.say(ForbiddenLatest, at, i.node, said)
		}
		if !pinned {
			said.Problem = fmt.Sprintf("expected an image with its digest, found %s without", said.Value)
			if i.digest != "" {
				said.Problem = fmt.Sprintf("expected an image with its digest, found %s, whose digest is not whole: sha256 has 64 hexadecimal digits", said.Value)
			}
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
		switch {
		case f.Key == "image" && isText(f.Value):
			all = append(all, imageOf(f.Value, f.Key, true, n, "tag", "version", "imageTag", "digest", "imageDigest"))
		case isImageKey(f.Key) && isText(f.Value):
			all = append(all, imageOf(f.Value, f.Key, true, n, f.Key+"Tag", f.Key+"Digest"))
		case f.Key == "images" || strings.HasSuffix(f.Key, "Images"):
			all = append(all, listed(f)...)
		default:
			all = append(all, inParts(n, f)...)
		}
	}
	return all
}

func isImageKey(key string) bool { return key == "image" || strings.HasSuffix(key, "Image") }

func isText(n *values.Node) bool { return n != nil && n.Kind == values.String && n.Text != "" }

// inParts is the image that f, a field of n, begins when its repository and its
// tag have keys of their own: {imageRepository, imageTag}. A tag may stand alone.
func inParts(n *values.Node, f values.Field) []image {
	prefix, isRepository := strings.CutSuffix(f.Key, "Repository")
	if !isRepository {
		prefix = strings.TrimSuffix(f.Key, "Tag")
	}
	if prefix == f.Key || !isImageKey(prefix) || isText(n.Get(prefix)) {
		return nil
	}
	switch {
	case isRepository && isText(f.Value):
		return []image{imageOf(f.Value, f.Key, false, n, prefix+"Tag", prefix+"Digest")}
	case !isRepository && plainText(f.Value) != "" && !isText(n.Get(prefix+"Repository")):
		return []image{imageOf(nil, "", false, n, f.Key, prefix+"Digest")}
	}
	return nil
}

// listed are the images in a list of references, and those in a map that have a
// tag: other texts of such a map may be a policy or a registry. A list may be one
// of patterns, which a policy exempts, or of words.
func listed(f values.Field) []image {
	var all []image
	for i, item := range f.Value.Items {
		if isText(item) && !isPicture(item.Text) && (item.Unknown || isReference(item.Text)) {
			one := imageOf(item, f.Key, true, item)
			one.entry = keypath.Index(i)
			all = append(all, one)
		}
	}
	for _, entry := range f.Value.Fields {
		if !isText(entry.Value) || isPicture(entry.Value.Text) || strings.Contains(entry.Value.Text, "*") || isImageKey(entry.Key) || entry.Key == "repository" || isDigest(entry.Value.Text) {
			continue
		}
		one := imageOf(entry.Value, f.Key, true, entry.Value)
		if one.entry = keypath.Field(entry.Key); one.tag != "" {
			all = append(all, one)
		}
	}
	return all
}

// isReference reports a text of a list that is taken for the reference of an image:
// it has a part that only a reference has, and is no pattern for several.
func isReference(text string) bool {
	return strings.ContainsAny(text, "/:@") && !strings.Contains(text, "*")
}

// isPicture reports a file or an address: pictures are called images, too.
func isPicture(text string) bool {
	if strings.Contains(text, "://") {
		return true
	}
	switch strings.ToLower(path.Ext(text)) {
	case ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".ico":
		return true
	}
	return false
}

// isDigest reports a whole digest, as the OCI image specification writes it; a
// chart may write the algorithm itself.
func isDigest(text string) bool {
	algorithm, digits, found := strings.Cut(text, ":")
	if !found {
		algorithm, digits = "sha256", text
	}
	length := map[string]int{"sha256": 64, "sha384": 96, "sha512": 128}[algorithm]
	return length > 0 && len(digits) == length && strings.Trim(digits, "0123456789abcdef") == ""
}

// imageOf takes a reference apart, with the tag or digest that stands beside it
// under one of the keys.
func imageOf(reference *values.Node, key string, whole bool, beside *values.Node, keys ...string) image {
	i := image{node: reference, key: key, whole: whole}
	if reference != nil {
		i.name = reference.Text
		if reference.Unknown {
			i.unknown = reference
		}
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
		if n.Unknown {
			i.unknown = n
		}
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
