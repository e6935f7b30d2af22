package cmpserver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/argoproj/argo-cd/v2/cmpserver/apiclient"

	"github.com/syncgate/syncgate/plugin"
	"github.com/syncgate/syncgate/plugin/archive"
)

// stream is what the streaming calls have in common.
type stream interface {
	Context() context.Context
	Recv() (*apiclient.AppStreamRequest, error)
}

// received is a request with the repository it is about.
type received struct {
	request plugin.Request
	tree    fs.FS
	// invalid says what is wrong with the archive, of which there is no tree
	// then, or with the Application's parameters.
	invalid error
}

// maxVariables bounds the environment that comes with a request.
const maxVariables = 4096

// receive reads the metadata, then the archive, which takes its room of share,
// and holds the archive against the sum in the metadata.
func (s *Service) receive(ctx context.Context, in stream, share *archive.Share) (received, error) {
	first, err := in.Recv()
	if err != nil {
		return received{}, fmt.Errorf("receive repository: %w", err)
	}
	meta := first.GetMetadata()
	if meta == nil {
		return received{}, errors.New("receive repository: expected its metadata first, found a piece of the archive")
	}
	if n := len(meta.GetEnv()); n > maxVariables {
		return received{}, fmt.Errorf("receive repository: limit variables=%d hit: found %d", maxVariables, n)
	}
	env := make(map[string]string, len(meta.GetEnv()))
	for _, e := range meta.GetEnv() {
		env[e.GetName()] = e.GetValue()
	}
	req, invalid := plugin.RequestFromEnv(func(name string) string { return env[name] })
	// The archive may be a part of the repository.
	req.Root = plugin.Narrowed(req.Dir, meta.GetAppRelPath())
	req.Dir = path.Join(req.Root, meta.GetAppRelPath())
	body := &pieces{in: in, sum: sha256.New()}
	tree, err := archive.Read(ctx, body, s.opts.Limits, share)
	if err == nil {
		err = body.finish(meta.GetChecksum())
	}
	if err != nil {
		share.Release()
		takeRest(ctx, in)
		return received{request: req, invalid: err}, nil //nolint:nilerr // it goes along
	}
	req.Sum = tree.Sum()
	return received{request: req, tree: plugin.Mount(tree, req.Root), invalid: invalid}, nil
}

// How much, and how long at the most, is taken of an archive that is refused
// already. The request's own deadline, which a repo-server always has, is
// shorter.
const (
	restBytes = 4 << 30
	restTime  = 5 * time.Minute
)

// takeRest takes what is still being sent, and keeps nothing of it. A
// repo-server that cannot send all shows "EOF" to the user, and never asks for
// the answer that says why.
func takeRest(ctx context.Context, in stream) {
	ctx, cancel := context.WithTimeout(ctx, restTime)
	defer cancel()
	for taken := 0; taken < restBytes && ctx.Err() == nil; {
		next, err := in.Recv()
		if err != nil {
			return
		}
		taken += len(next.GetFile().GetChunk())
	}
}

// pieces is the archive of a stream as one reader.
type pieces struct {
	in   stream
	sum  hash.Hash
	rest []byte
}

// Read implements io.Reader.
func (p *pieces) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		next, err := p.in.Recv()
		if errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, fmt.Errorf("receive repository: %w", err)
		}
		if next.GetFile() == nil {
			return 0, errors.New("receive repository: expected a piece of the archive, found metadata once more")
		}
		p.rest = next.GetFile().GetChunk()
		p.sum.Write(p.rest)
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// finish reads what follows the archive and compares the sum.
func (p *pieces) finish(checksum string) error {
	if n, err := io.Copy(io.Discard, io.LimitReader(p, 1<<20)); err != nil || n == 1<<20 {
		return fmt.Errorf("receive repository: expected the end of the stream after the archive (%d bytes followed): %w", n, errors.Join(err, io.ErrUnexpectedEOF))
	}
	if have := hex.EncodeToString(p.sum.Sum(nil)); subtle.ConstantTimeCompare([]byte(have), []byte(checksum)) != 1 {
		return fmt.Errorf("receive repository: the archive was damaged on its way: expected SHA-256 %.64s, found %s", checksum, have)
	}
	return nil
}
