// Package reference keeps docs/reference/syncgate-yaml.md and its JSON Schema
// true to the Go types of a Gate: its tests make both from the types, their
// comments and the Gates in testdata, and fail when what is committed differs.
//
//	go test ./policies/gate/reference -update
//
// writes them anew.
package reference
