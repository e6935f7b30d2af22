package git

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// objectReader reads blobs of the trees store through one git process that
// stays, and knows which ones are there.
type objectReader struct {
	repo *Repository

	mu    sync.Mutex
	have  map[string]struct{} // nil: not asked yet
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	pipe  io.Closer
	ended chan struct{}
}

// missing are those of ids that are not in the store, sorted, each once.
func (o *objectReader) missing(ctx context.Context, ids []string) ([]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.have == nil {
		out, err := o.repo.run(ctx, call{store: o.repo.trees, args: []string{
			"cat-file", "--batch-all-objects", "--unordered", "--buffer", "--batch-check=%(objecttype) %(objectname)",
		}})
		if err != nil {
			return nil, err
		}
		o.have = map[string]struct{}{}
		for line := range bytes.Lines(out) {
			if id, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "blob "); ok {
				o.have[id] = struct{}{}
			}
		}
	}
	lack := map[string]struct{}{}
	for _, id := range ids {
		if _, ok := o.have[id]; !ok {
			lack[id] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(lack)), nil
}

func (o *objectReader) arrived(ids []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		if o.have != nil {
			o.have[id] = struct{}{}
		}
	}
}

// recount is called when git has made or fetched blobs by itself.
func (o *objectReader) recount() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.have = nil
}

// forget is called when the store is begun anew.
func (o *objectReader) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.have = nil
	o.end()
}

func (o *objectReader) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end()
}

func (o *objectReader) end() {
	if o.cmd == nil {
		return
	}
	_ = o.in.Close()
	_ = o.cmd.Cancel()
	<-o.ended
	_ = o.pipe.Close()
	o.cmd = nil
}

func (o *objectReader) start(ctx context.Context) error {
	// The process outlives the call that starts it.
	ctx = context.WithoutCancel(ctx)
	env, err := o.repo.environ(ctx, call{store: o.repo.trees})
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, o.repo.git, "cat-file", "--batch")
	ownGroup(cmd)
	cmd.Dir, cmd.Env, cmd.ExtraFiles = o.repo.dir, env, []*os.File{o.repo.lock}
	in, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("run git cat-file: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("run git cat-file: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run git cat-file: %w", err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _, _ = cmd.Process.Wait() }()
	o.cmd, o.in, o.out, o.pipe, o.ended = cmd, in, bufio.NewReaderSize(out, 64<<10), out, ended
	return nil
}

// read gives a blob that is in the store.
func (o *objectReader) read(ctx context.Context, id string) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cmd == nil {
		if err := o.start(ctx); err != nil {
			return nil, err
		}
	}
	// The process reads the local disk alone; should it hang all the same, it
	// is ended.
	kill := o.cmd.Cancel
	timer := time.AfterFunc(o.repo.opts.Limits.Timeout, func() { _ = kill() })
	data, err := o.ask(id)
	timer.Stop()
	if err != nil {
		o.end() // its output may stand anywhere now
		return nil, err
	}
	return data, nil
}

var errGone = errors.New("is not in the cache any more")

func (o *objectReader) ask(id string) ([]byte, error) {
	if _, err := io.WriteString(o.in, id+"\n"); err != nil {
		return nil, fmt.Errorf("read blob %s: %w", id, err)
	}
	head, err := o.out.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", id, errGone)
	}
	f := strings.Fields(head)
	if len(f) == 2 && f[1] == "missing" {
		return nil, fmt.Errorf("read blob %s: %w", id, errGone)
	}
	if len(f) != 3 || f[1] != "blob" {
		return nil, fmt.Errorf("read blob %s: expected a blob, found %.80q", id, head)
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil || size < 0 {
		return nil, fmt.Errorf("read blob %s: expected its size, found %.80q", id, head)
	}
	if limit := o.repo.opts.Limits.FileBytes; size > limit {
		return nil, &LimitError{What: fmt.Sprintf("a file of %d bytes", size), Name: "FileBytes", Limit: limit}
	}
	data := make([]byte, size+1) // and the newline after it
	if _, err := io.ReadFull(o.out, data); err != nil {
		return nil, fmt.Errorf("read blob %s: %w", id, err)
	}
	return data[:size:size], nil
}

// FetchBlobs brings the blobs that are not in the cache yet, all in one fetch.
// An empty ID and the ID of no file are left out.
func (r *Repository) FetchBlobs(ctx context.Context, ids []string) error {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return strings.Trim(id, "0") == "" })
	for _, id := range ids {
		if err := checkSHA("blob", id); err != nil {
			return err
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if err := r.trees.lock(ctx); err != nil {
		return err
	}
	defer r.trees.unlock()
	if err := r.prepare(ctx, r.trees, ids[0]); err != nil {
		return fmt.Errorf("fetch files: %w", err)
	}
	lack, err := r.objects.missing(ctx, ids)
	if err != nil {
		return fmt.Errorf("fetch files: %w", err)
	}
	if len(lack) == 0 {
		return nil
	}
	if err := r.prepareToFetch(ctx, r.trees, ids[0]); err != nil {
		return fmt.Errorf("fetch files: %w", err)
	}
	if lack, err = r.objects.missing(ctx, ids); err != nil {
		return fmt.Errorf("fetch files: %w", err)
	}
	err = r.fetch(ctx, r.trees, call{
		// As git itself fetches what a partial clone lacks: nothing is
		// negotiated, since only the named objects are wanted.
		config: []string{"fetch.negotiationAlgorithm", "noop"},
		args: []string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
			"--recurse-submodules=no", "--no-auto-maintenance", "--filter=blob:none", "--stdin", "origin"},
		stdin: strings.NewReader(strings.Join(lack, "\n") + "\n"),
	})
	if err != nil {
		return fmt.Errorf("fetch %d files: %w", len(lack), err)
	}
	r.objects.arrived(lack)
	return nil
}

// Blob is the content of a blob; it is fetched if need be.
func (r *Repository) Blob(ctx context.Context, id string) ([]byte, error) {
	if err := checkSHA("blob", id); err != nil {
		return nil, err
	}
	for again := false; ; again = true {
		if err := r.FetchBlobs(ctx, []string{id}); err != nil {
			return nil, err
		}
		data, err := r.objects.read(ctx, id)
		if !errors.Is(err, errGone) || again {
			return data, err
		}
		r.objects.forget() // begun anew between the two; look again
	}
}

// has reports whether the blob's content is in the cache.
func (r *Repository) has(ctx context.Context, id string) (bool, error) {
	if err := r.trees.lock(ctx); err != nil {
		return false, err
	}
	defer r.trees.unlock()
	if err := r.prepare(ctx, r.trees, id); err != nil {
		return false, err
	}
	lack, err := r.objects.missing(ctx, []string{id})
	return len(lack) == 0, err
}
