// Package examples has GitHub's own examples of what its webhooks send, which
// come from npm (@octokit/webhooks-examples) at a pinned version and checksum.
package examples

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	_ "embed"

	"github.com/syncgate/syncgate/test/githubd/npm"
)

var (
	//go:embed package.json
	packageJSON []byte
	//go:embed package-lock.json
	packageLock []byte
)

const version = "7.6.1"

// Example is the payload of one delivery.
type Example struct {
	// Source is the GitHub it is of: "api.github.com", "ghes-35".
	Source string
	// Event is its name, and Number its place among the examples of the event.
	Event   string
	Number  int
	Payload []byte
}

// Load reads all examples from the cache folder; when they are not there, npm
// fetches them first. npm.ErrMissing when there is none.
func Load(ctx context.Context, cache string) ([]Example, error) {
	dir := filepath.Join(cache, "webhooks-examples@"+version, "package")
	f := npm.File{JSON: packageJSON, Lock: packageLock, Path: filepath.Join("@octokit", "webhooks-examples")}
	if err := npm.Fetch(ctx, f, dir); err != nil {
		return nil, fmt.Errorf("load examples of webhooks: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "index.json"))
	if err != nil {
		return nil, fmt.Errorf("load examples of webhooks: %w", err)
	}
	var out []Example
	for _, file := range files {
		list, err := read(file)
		if err != nil {
			return nil, fmt.Errorf("load examples of webhooks: %w", err)
		}
		out = append(out, list...)
	}
	return out, nil
}

func read(file string) (out []Example, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var events []struct {
		Name     string            `json:"name"`
		Examples []json.RawMessage `json:"examples"`
	}
	if err := json.Unmarshal(b, &events); err != nil {
		return nil, fmt.Errorf("decode %s: %w", file, err)
	}
	for _, e := range events {
		for i, payload := range e.Examples {
			out = append(out, Example{
				Source: filepath.Base(filepath.Dir(file)), Event: e.Name, Number: i, Payload: payload,
			})
		}
	}
	return out, nil
}
