package backup_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/syncgate/syncgate/hooks/backup"
	"github.com/syncgate/syncgate/hooks/backup/storetest"
)

func TestFolderConforms(t *testing.T) {
	t.Parallel()
	storetest.Conformance(t, func(t *testing.T, maxObjects int) storetest.Fixture {
		root := t.TempDir()
		stores := open(t, backup.StoreOptions{Name: "folder", Folder: &backup.FolderOptions{Path: root}, MaxObjects: maxObjects})
		base := time.Now().Add(-time.Hour)
		puts := 0
		return storetest.Fixture{
			Stores: stores, Name: "folder",
			Put: func(key string, content []byte) {
				t.Helper()
				file := filepath.Join(root, filepath.FromSlash(key))
				noError(t, os.MkdirAll(filepath.Dir(file), 0o750))
				noError(t, os.WriteFile(file, content, 0o600))
				// As the clock would do it, without waiting for it.
				puts++
				at := base.Add(time.Duration(puts) * time.Second)
				noError(t, os.Chtimes(file, at, at))
			},
			Delete: func(key string) {
				t.Helper()
				noError(t, os.Remove(filepath.Join(root, filepath.FromSlash(key))))
			},
		}
	})
}
