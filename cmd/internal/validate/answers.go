package validate

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/syncgate/syncgate/policies/cache"
	"github.com/syncgate/syncgate/policies/report"
)

// CacheVariable names the folder of the cache.
const CacheVariable = "SYNCGATE_CACHE_DIR"

// Question is all that an answer depends on beside the repository and what passed
// before. Two that differ have answers of their own.
type Question struct {
	// Programs tells the programs that answer apart from others; see Programs.
	Programs string
	// Root is the repository, and Paths are where Gates are looked for in it.
	Root  string
	Paths []string
	// Gate is the only Gate that is asked, "" for all.
	Gate string
	// Base is the name of what passed before; HasBase is true when there is any.
	Base    string
	HasBase bool
	// Diffs is true when findings have diffs.
	Diffs bool
	// Now is when it is asked: waivers end with a day.
	Now time.Time
}

// Answers are what was answered to one Question.
type Answers struct {
	store *cache.Store
	key   [sha256.Size]byte
}

// OpenAnswers opens the cache of this user, which SYNCGATE_CACHE_DIR may name.
func OpenAnswers(q Question) (*Answers, error) {
	dir := os.Getenv(CacheVariable)
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find cache: %w", err)
		}
		dir = filepath.Join(user, "syncgate")
	}
	store, err := cache.Open(dir)
	if err != nil {
		return nil, err
	}
	day := q.Now.Format(time.DateOnly) + " " + q.Now.UTC().Format(time.DateOnly)
	parts := []string{
		"validate", q.Programs, q.Root, q.Gate, q.Base, strconv.FormatBool(q.HasBase),
		strconv.FormatBool(q.Diffs), day,
	}
	return &Answers{store: store, key: cache.Key(append(parts, q.Paths...)...)}, nil
}

// Last is the last answer, when nothing that it looked at has changed in the
// repository and in what passed before, which may be nil.
func (a *Answers) Last(ctx context.Context, repo, base fs.FS) (report.Report, bool) {
	start := time.Now()
	data, ok := a.store.Get(ctx, a.key, repo, base)
	if !ok {
		return report.Report{}, false
	}
	var r report.Report
	if err := json.Unmarshal(data, &r); err != nil || r.Verdict() == report.Unknown {
		return report.Report{}, false
	}
	r.Elapsed = time.Since(start)
	return r, true
}

// Keep keeps an answer with what was recorded on the way to it. What could not be
// told is an error: it is never kept.
func (a *Answers) Keep(rec *cache.Recorder, r report.Report) error {
	if r.Verdict() == report.Unknown {
		return errors.New("keep answer: expected one that could be told")
	}
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("keep answer: %w", err)
	}
	return a.store.Put(a.key, rec, data)
}
