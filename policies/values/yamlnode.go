package values

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"github.com/syncgate/syncgate/policies/finding"
)

// ReadNode parses data, which holds at most one YAML document, to its root
// node; nil when it holds none. Errors are *Error with the place in file.
func ReadNode(data []byte, file string, limits Limits) (*yaml.Node, error) {
	limits = limits.WithDefaults()
	at := finding.Position{File: file}
	if int64(len(data)) > limits.FileSize {
		return nil, limitError(at, "", "fileSize", int(limits.FileSize), fmt.Sprintf("the file has %d bytes", len(data)))
	}
	depth := loaderlimits.DepthFunc(func(depth int, _ *yaml.DepthContext) error {
		// The parser counts block and flow levels more than once; the exact
		// bound is held when the nodes are read.
		if depth > 4*limits.Depth {
			return fmt.Errorf("limit depth=%d hit: maps and lists nest deeper", limits.Depth)
		}
		return nil
	})
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithV4Defaults(),
		yaml.WithPlugin(loaderlimits.New(depth, loaderlimits.AliasNone())))
	if err != nil {
		return nil, fmt.Errorf("make YAML loader: %w", err)
	}
	var doc, second yaml.Node
	if err := loader.Load(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, syntaxError(err, file)
	}
	switch err := loader.Load(&second); {
	case err == nil:
		return nil, &Error{
			Position: finding.Position{File: file, Line: second.Line, Column: second.Column},
			Problem:  "expected one YAML document, found a second one",
			Remedy:   `remove the "---" and what follows, or move it to a file of its own: Helm would ignore it`,
		}
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(err, file)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

func syntaxError(err error, file string) error {
	at := finding.Position{File: file}
	problem := "malformed YAML"
	var one *yaml.LoadError
	var many *yaml.LoadErrors
	if errors.As(err, &many) && len(many.Errors) > 0 {
		one = many.Errors[0]
	}
	if one != nil || errors.As(err, &one) {
		at.Line, at.Column = one.Mark.Line, one.Mark.Column
		problem += ": " + one.Message
	}
	return &Error{Position: at, Problem: problem, Remedy: "correct the YAML there"}
}
