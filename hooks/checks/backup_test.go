package checks_test

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/backup"
	"github.com/syncgate/syncgate/hooks/checks"
	"github.com/syncgate/syncgate/policies/gate"
)

// file is a backup in a folder: its content, its age and its checksum file.
type file struct {
	key     string
	content string
	age     time.Duration
	sum     string // "right", "wrong", "none"
}

func folder(t *testing.T, files ...file) (*backup.Stores, string) {
	t.Helper()
	root := t.TempDir()
	for _, f := range files {
		name := filepath.Join(root, filepath.FromSlash(f.key))
		noError(t, os.MkdirAll(filepath.Dir(name), 0o750))
		noError(t, os.WriteFile(name, []byte(f.content), 0o600))
		noError(t, os.Chtimes(name, now.Add(-f.age), now.Add(-f.age)))
		sum := sha256.Sum256([]byte(f.content))
		switch f.sum {
		case "none":
			continue
		case "wrong":
			sum[0]++
		}
		noError(t, os.WriteFile(name+".sha256", fmt.Appendf(nil, "%x  %s\n", sum, filepath.Base(name)), 0o600))
	}
	stores, err := backup.Open([]backup.StoreOptions{{Name: "nas", Folder: &backup.FolderOptions{Path: root}}}, slog.New(slog.DiscardHandler))
	noError(t, err)
	t.Cleanup(stores.Close)
	return stores, root
}

func TestObjectBackup(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	spec := func(proof gate.Proof, change ...func(*gate.ObjectBackup)) gate.BackupCheck {
		b := gate.BackupCheck{MaxAge: gate.Duration(day), Proof: proof, Objects: &gate.ObjectBackup{Store: "nas", Prefix: "${cluster}/", Suffix: ".gz"}}
		for _, c := range change {
			c(b.Objects)
		}
		return b
	}
	minSize := func(s string) func(*gate.ObjectBackup) { return func(o *gate.ObjectBackup) { o.MinSize = s } }
	good := file{"eu/db.gz", "content", time.Hour, "right"}
	with := func(change func(*file)) file {
		f := good
		change(&f)
		return f
	}
	unsummed := with(func(f *file) { f.sum = "none" })
	wrong := with(func(f *file) { f.sum = "wrong" })
	for name, c := range map[string]struct {
		spec  gate.BackupCheck
		files []file
		want  want
	}{
		"complete by default":        {spec(""), []file{good}, expect(hooks.Pass, "1h0m old", "SHA-256", "proof complete")},
		"none":                       {spec(""), nil, expect(hooks.Wait, "found none", "eu/")},
		"none of this cluster":       {spec(""), []file{with(func(f *file) { f.key = "us/db.gz" })}, expect(hooks.Wait, "found none")},
		"too old":                    {spec(""), []file{with(func(f *file) { f.age = 25 * time.Hour })}, expect(hooks.Wait, "at most 24h0m old", "25h0m old", "take a new backup")},
		"too old, for fresh":         {spec(gate.ProofFresh), []file{with(func(f *file) { f.age = 25 * time.Hour })}, expect(hooks.Wait, "25h0m old")},
		"too old, for exists":        {spec(gate.ProofExists), []file{with(func(f *file) { f.age = 1000 * time.Hour })}, expect(hooks.Pass, "41d16h old", "proof exists")},
		"as old as may be":           {spec(""), []file{with(func(f *file) { f.age = day })}, expect(hooks.Pass)},
		"the newest is the one":      {spec(""), []file{good, with(func(f *file) { f.key, f.age, f.sum = "eu/newer.gz", 30*time.Minute, "wrong" })}, expect(hooks.Fail, "newer.gz")},
		"no checksum":                {spec(""), []file{unsummed}, expect(hooks.Fail, "no SHA-256", "db.gz.sha256")},
		"no checksum yet":            {spec(""), []file{with(func(f *file) { f.age, f.sum = time.Minute, "none" })}, expect(hooks.Wait, "no SHA-256")},
		"no checksum, for fresh":     {spec(gate.ProofFresh), []file{unsummed}, expect(hooks.Pass, "proof fresh")},
		"a wrong checksum":           {spec(""), []file{wrong}, expect(hooks.Fail, "expected it whole", "take it again")},
		"a wrong checksum, just now": {spec(""), []file{with(func(f *file) { f.age, f.sum = time.Second, "wrong" })}, expect(hooks.Wait)},
		"just now, and right":        {spec(""), []file{with(func(f *file) { f.age = 0 })}, expect(hooks.Pass)},
		"just now, for fresh":        {spec(gate.ProofFresh), []file{with(func(f *file) { f.age = time.Second })}, expect(hooks.Wait, "changed 1s ago")},
		"a little in the future":     {spec(""), []file{with(func(f *file) { f.age = -30 * time.Second })}, expect(hooks.Pass)},
		"in the future":              {spec(""), []file{with(func(f *file) { f.age = -time.Hour })}, expect(hooks.Wait, "1h0m in the future", "clocks")},
		"in the future, for exists":  {spec(gate.ProofExists), []file{with(func(f *file) { f.age = -time.Hour })}, expect(hooks.Wait, "in the future")},
		"empty":                      {spec(""), []file{with(func(f *file) { f.content = "" })}, expect(hooks.Fail, "at least 1 bytes, found 0")},
		"too small":                  {spec("", minSize("1Ki")), []file{good}, expect(hooks.Fail, "at least 1024 bytes, found 7")},
		"too small yet":              {spec("", minSize("1Ki")), []file{with(func(f *file) { f.age = time.Second })}, expect(hooks.Wait, "found 7")},
		"too small, for exists":      {spec(gate.ProofExists, minSize("8")), []file{good}, expect(hooks.Fail)},
		"just large enough":          {spec("", minSize("7")), []file{good}, expect(hooks.Pass)},
		"a store the server lacks":   {spec("", func(o *gate.ObjectBackup) { o.Store = "s3" }), []file{good}, expect(hooks.Unknown, "nas")},
		"a prefix that is not there": {spec("", func(o *gate.ObjectBackup) { o.Prefix = "${values.nothing}" }), []file{good}, expect(hooks.Unknown, "objects.prefix")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stores, root := folder(t, c.files...)
			made, err := checks.New(checks.Options{Stores: stores, Now: func() time.Time { return now }})(gate.Check{Name: "backup", Backup: &c.spec})
			noError(t, err)
			a := asked(t, made, target(), c.want)
			if a.Status != hooks.Pass {
				return
			}
			proof := c.spec.Proof
			if proof == "" {
				proof = gate.ProofComplete
			}
			if a.Backup == nil || a.Backup.Proof != string(proof) || a.Backup.Size != int64(len(good.content)) || a.Backup.Location != "file://"+root+"/eu/db.gz" {
				t.Errorf("expected a backup of proof %s, found %+v", proof, a.Backup)
			}
		})
	}
}

func TestBackupWithoutStores(t *testing.T) {
	t.Parallel()
	c := made(t, gate.Check{Backup: &gate.BackupCheck{MaxAge: 1, Objects: &gate.ObjectBackup{Store: "nas"}}})
	asked(t, c, target(), expect(hooks.Unknown, `"nas"`, "no stores"))
}

// The folder the store is in goes away: that is no answer.
func TestBackupFolderGone(t *testing.T) {
	t.Parallel()
	stores, root := folder(t, file{"eu/db.gz", "x", time.Hour, "right"})
	c, err := checks.New(checks.Options{Stores: stores, Now: func() time.Time { return now }})(gate.Check{Name: "b", Backup: &gate.BackupCheck{
		MaxAge: gate.Duration(24 * time.Hour), Objects: &gate.ObjectBackup{Store: "nas"},
	}})
	noError(t, err)
	asked(t, c, target(), expect(hooks.Pass))
	noError(t, os.RemoveAll(root))
	asked(t, c, target(), expect(hooks.Unknown, strings.TrimSuffix(root, "/")))
}
