package gate

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path"

	"github.com/syncgate/syncgate/internal/lru"
	"github.com/syncgate/syncgate/policies/packs"
	"github.com/syncgate/syncgate/policies/tree"
)

// knownBytes bounds Known: two hundred Gates of 64 clusters, or ten with ten rules.
const knownBytes = 4 << 20

// Known keeps decoded Gates by their file's path and content. A Gate whose packs lie
// in the repository follows from more than that, and is decoded every time, and so is
// one with a mistake. A nil one keeps nothing. It is safe for concurrent use, and so
// are the Gates it gives, which nobody may change.
type Known struct{ gates *lru.Cache[*Gate] }

// NewKnown makes one that has kept nothing yet.
func NewKnown() *Known { return &Known{gates: lru.New[*Gate](knownBytes)} }

// Load is the package's Load.
func (k *Known) Load(fsys fs.FS, file string) (*Gate, error) {
	t := tree.New(fsys)
	data, err := t.Read(file, maxFile)
	if err != nil {
		return nil, err
	}
	key := lru.Key(sha256.Sum256(fmt.Appendf(nil, "%q %s", file, data)))
	if k != nil {
		if g, ok := k.gates.Get(key); ok {
			return g, nil
		}
	}
	loader := packs.NewLoader(t, path.Dir(file))
	g, err := decode(data, file, loader)
	if err != nil {
		return nil, err
	}
	if k != nil && !loader.Read() {
		k.gates.Put(key, g, g.size(len(data)))
	}
	return g, nil
}

// size is about how many bytes a Gate of a file of so many bytes takes: its fields,
// and its rules once they are compiled, the first with what all of them need.
func (g *Gate) size(file int) int {
	const each, first, rule = 4, 96 << 10, 48 << 10
	if len(g.Spec.Rules) == 0 {
		return each * file
	}
	return each*file + first + rule*len(g.Spec.Rules)
}
