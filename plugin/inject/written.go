package inject

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"

	"sigs.k8s.io/yaml"

	"github.com/syncgate/syncgate/internal/lru"
)

// writtenBytes bounds Written: some 500 Jobs.
const writtenBytes = 2 << 20

// Written keeps the YAML of Jobs, which takes some fifteen times as long to write as
// the JSON that it follows from. A nil one keeps nothing.
type Written struct{ known *lru.Cache[[]byte] }

// NewWritten makes one that has kept nothing yet. It is safe for concurrent use.
func NewWritten() *Written { return &Written{known: lru.New[[]byte](writtenBytes)} }

// write is a Job as YAML, which nobody may change.
func (w *Written) write(job document) ([]byte, error) {
	data, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	key := lru.Key(sha256.Sum256(data))
	if w != nil {
		if text, ok := w.known.Get(key); ok {
			return text, nil
		}
	}
	text, err := yaml.JSONToYAML(data)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimSpace(text)
	if w != nil {
		w.known.Put(key, text, len(text))
	}
	return text, nil
}
