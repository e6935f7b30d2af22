package gate

import _ "embed" // the schema is a file

// schema is made from the types of this package and their comments by
//
//	go test ./policies/gate -run TestSchemaIsCurrent -update
//
//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of a Gate file. It says what the
// shape of the file must be; Decode also holds names, paths, globs and
// expressions against their own rules.
func Schema() ([]byte, error) { return append([]byte(nil), schema...), nil }
