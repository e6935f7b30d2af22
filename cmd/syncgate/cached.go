package main

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/syncgate/syncgate/internal/rootfs"
	"github.com/syncgate/syncgate/policies/cache"
	"github.com/syncgate/syncgate/policies/report"
	"github.com/syncgate/syncgate/policies/survey"
)

// cacheVariable names the folder of the cache.
const cacheVariable = "SYNCGATE_CACHE_DIR"

// collectCached is survey.Collect, or what it came to the last time, when nothing
// that it looked at has changed. What could not be told is never kept. A cache
// that cannot be used changes no answer: that is told on the debug level.
func collectCached(ctx context.Context, log *slog.Logger, repo *rootfs.Root, look survey.Options) report.Report {
	start := time.Now()
	store, key, err := openCache(repo.Name(), look)
	if err != nil {
		log.Debug("working without a cache", "reason", err)
		r, _ := survey.Collect(ctx, repo.FS(), look)
		return r
	}
	if data, ok := store.Get(ctx, key, repo.FS(), look.Base); ok {
		var r report.Report
		if err := json.Unmarshal(data, &r); err == nil && r.Verdict() != report.Unknown {
			log.Debug("nothing that was looked at has changed", "findings", r.Findings())
			r.Elapsed = time.Since(start)
			return r
		}
	}
	rec := cache.Record(repo.FS(), look.Base)
	if look.Base != nil {
		look.Base = rec.Tree(1)
	}
	r, _ := survey.Collect(ctx, rec.Tree(0), look)
	if ctx.Err() != nil || r.Verdict() == report.Unknown {
		return r
	}
	data, err := json.Marshal(r)
	if err == nil {
		err = store.Put(key, rec, data)
	}
	if err != nil {
		log.Debug("could not keep the answer", "reason", err)
	}
	return r
}

// openCache opens the cache, and gives the key of what is asked: everything but
// the trees on which the answer depends.
func openCache(root string, look survey.Options) (*cache.Store, [sha256.Size]byte, error) {
	none := [sha256.Size]byte{}
	dir := os.Getenv(cacheVariable)
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, none, fmt.Errorf("find cache: %w", err)
		}
		dir = filepath.Join(user, "syncgate")
	}
	program, err := programID()
	if err != nil {
		return nil, none, fmt.Errorf("find what program this is: %w", err)
	}
	store, err := cache.Open(dir)
	if err != nil {
		return nil, none, err
	}
	day := look.Policies.Now.Format(time.DateOnly) + " " + look.Policies.Now.UTC().Format(time.DateOnly)
	parts := []string{
		"validate", program, look.Version, root, look.Gate, look.BaseName, strconv.FormatBool(look.Base != nil),
		strconv.FormatBool(look.Diffs), day,
	}
	return store, cache.Key(append(parts, look.Paths...)...), nil
}

// programID tells two builds of this program apart: by the linker's build ID,
// which is a hash of all that went in, or else by the bytes of the program. A
// version alone does not: two builds of a work in progress have the same.
func programID() (string, error) {
	name, err := os.Executable()
	if err != nil {
		return "", err
	}
	if id := buildID(name); id != "" {
		return id, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// buildID is the linker's build ID of an ELF program, "" where there is none.
func buildID(name string) string {
	f, err := elf.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	section := f.Section(".note.go.buildid")
	if section == nil {
		return ""
	}
	// Three numbers of four bytes, the name "Go" in four, then the ID.
	const head, least = 16, 40
	data, err := section.Data()
	if err != nil || len(data) < head+least {
		return ""
	}
	return string(data[head:])
}
