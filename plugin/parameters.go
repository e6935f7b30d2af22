package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies"
)

// The parameters an Application may set. ParameterValue begins the name of one
// that sets a value of the chart for the cluster: "values.ingress.host".
const (
	ParameterCluster = "cluster"
	ParameterGate    = "gate"
	ParameterValue   = "values."
)

// maxParameters bounds the parameters' JSON.
const maxParameters = 1 << 20

// parameter is Argo CD's ApplicationSourcePluginParameter.
type parameter struct {
	Name   string            `json:"name"`
	String *string           `json:"string"`
	Array  []string          `json:"array"`
	Map    map[string]string `json:"map"`
}

// DecodeParameters reads the plugin parameters of an Application, a JSON list
// as Argo CD gives it in ARGOCD_APP_PARAMETERS, into values by name. Empty
// data and null are no parameters. A name that Syncgate does not know, one that
// is there twice, and a value that is no string are errors: a parameter that is
// not heeded must not look as if it were.
func DecodeParameters(data []byte) (map[string]string, error) {
	if len(data) > maxParameters {
		return nil, fmt.Errorf("read plugin parameters: limit parameterBytes=%d hit; set fewer parameters", maxParameters)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return map[string]string{}, nil
	}
	var list []parameter
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf("read plugin parameters: expected a JSON list of {\"name\", \"string\"}: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("read plugin parameters: expected one JSON list, found more after it")
	}
	values := make(map[string]string, len(list))
	for i, p := range list {
		_, twice := values[p.Name]
		switch {
		case !isParameter(p.Name):
			return nil, fmt.Errorf("read plugin parameters: parameter %d: there is no parameter %.80q; expected %q, %q or %q and a key path",
				i+1, p.Name, ParameterCluster, ParameterGate, ParameterValue)
		case twice:
			return nil, fmt.Errorf("read plugin parameters: %q is set twice; keep one", p.Name)
		case p.Array != nil || p.Map != nil || p.String == nil:
			return nil, fmt.Errorf("read plugin parameters: %q: expected a string; write `string: …` beside the name", p.Name)
		}
		values[p.Name] = *p.String
	}
	return values, nil
}

func isParameter(name string) bool {
	return name == ParameterCluster || name == ParameterGate || len(name) > len(ParameterValue) && strings.HasPrefix(name, ParameterValue)
}

// overrides are the values that parameters set, in the order of their names.
func overrides(params map[string]string) []policies.Override {
	var list []policies.Override
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if path, ok := strings.CutPrefix(name, ParameterValue); ok {
			list = append(list, policies.Override{Path: path, Text: params[name], Origin: "Application parameter " + name})
		}
	}
	return list
}
