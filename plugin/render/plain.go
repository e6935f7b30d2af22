package render

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/syncgate/syncgate/policies/gate"
)

// Plain renders a folder of manifests, and the folders in it, as they are:
// every .yaml, .yml and .json file but the Gate's own and those whose name, or
// whose folder's name, starts with a dot. Sealed and encrypted objects are
// objects like any other: their text is passed on untouched.
type Plain struct {
	run *runner
}

// Render implements Renderer.
func (p *Plain) Render(ctx context.Context, in Input) ([]Object, error) {
	return p.run.do(ctx, in.Path, func() ([]Object, error) {
		files, err := newReader(in, p.run.limits).walk(ctx, in.Path, notManifest)
		if err != nil {
			return nil, err
		}
		out := collector{limits: p.run.limits, heads: p.run.heads, where: in.Path}
		for _, f := range files {
			if ctx.Err() != nil {
				return nil, stopped(ctx, in.Path)
			}
			name := path.Join(in.Path, f.name)
			docs, err := documents(name, f.data)
			if err != nil {
				return nil, err
			}
			if err := out.add(docs); err != nil {
				return nil, err
			}
		}
		return out.objects, nil
	})
}

func notManifest(rel string, info fs.FileInfo) bool {
	base := path.Base(rel)
	if strings.HasPrefix(base, ".") {
		return true
	}
	if info.IsDir() {
		return false
	}
	switch path.Ext(base) {
	case ".yaml", ".yml", ".json":
		return base == gate.FileName
	}
	return true
}

// documents are the documents of a manifest file.
func documents(name string, data []byte) ([]document, error) {
	if path.Ext(name) == ".json" {
		return jsonDocuments(name, data)
	}
	docs := splitYAML(name, data)
	for i := range docs {
		docs[i].strict = true
	}
	return docs, nil
}

// splitYAML cuts a YAML stream at the lines that separate its documents. What
// follows the separator on its line belongs to the document.
func splitYAML(name string, data []byte) []document {
	var docs []document
	doc := document{file: name, line: 1}
	number, from := 0, 0
	cut := func(to int) {
		doc.data = data[from:to]
		if len(bytes.TrimSpace(doc.data)) > 0 {
			docs = append(docs, doc)
		}
	}
	at := 0
	for line := range bytes.Lines(data) {
		number++
		if isSeparator(line) {
			cut(at)
			doc = document{file: name, line: number}
			from = at + len("---")
		}
		at += len(line)
	}
	cut(len(data))
	return docs
}

// isSeparator reports whether a line starts a new document: three dashes, and
// then white space or nothing.
func isSeparator(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("---"))
	return ok && (len(rest) == 0 || strings.ContainsRune(" \t\r\n", rune(rest[0])))
}

// jsonDocuments are the values of a stream of JSON, written anew so that each
// is YAML too.
func jsonDocuments(name string, data []byte) ([]document, error) {
	var docs []document
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	for {
		start := int(dec.InputOffset())
		start += len(data[start:]) - len(bytes.TrimLeft(data[start:], " \t\r\n"))
		var v any
		err := dec.Decode(&v)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		line := 1 + bytes.Count(data[:start], []byte("\n"))
		if err != nil {
			return nil, jsonError(name, data, line, err)
		}
		if err := uniqueKeys(data[start:dec.InputOffset()]); err != nil {
			return nil, &ObjectError{File: name, Line: line, Column: 1, Problem: err.Error(), Remedy: "keep one of the two"}
		}
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		docs = append(docs, document{file: name, line: line, data: text, strict: true})
	}
}

func jsonError(name string, data []byte, line int, err error) error {
	column := 1
	var se *json.SyntaxError
	if errors.As(err, &se) && se.Offset > 0 && int(se.Offset) <= len(data) {
		before := data[:se.Offset-1]
		line = 1 + bytes.Count(before, []byte("\n"))
		column = len(before) - bytes.LastIndexByte(before, '\n')
	}
	return &ObjectError{File: name, Line: line, Column: column, Problem: "is not valid JSON: " + err.Error(), Remedy: "correct the JSON"}
}

// uniqueKeys refuses a JSON value that has a key twice in one object.
func uniqueKeys(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	type level struct {
		keys map[string]bool // nil for a list
		key  bool            // the next token is a key
	}
	var stack []level
	for {
		token, err := dec.Token()
		if err != nil {
			return nil //nolint:nilerr // the same bytes have been decoded already
		}
		top := len(stack) - 1
		if key, ok := token.(string); ok && top >= 0 && stack[top].key {
			if stack[top].keys[key] {
				return fmt.Errorf("key %q is there twice in one object", key)
			}
			stack[top].keys[key] = true
			stack[top].key = false
			continue
		}
		if top >= 0 && stack[top].keys != nil {
			stack[top].key = true
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{keys: map[string]bool{}, key: true})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:top]
		}
	}
}
