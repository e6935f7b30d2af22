package values

import (
	"path"
	"slices"
)

// schemaFile is the file of a chart that its values must meet.
const schemaFile = "values.schema.json"

// Schema is the JSON Schema that the values at a path must meet.
type Schema struct {
	// Path are the names of the subcharts down to the one whose schema it is.
	Path []string
	// File is where it stands, and Data what it says.
	File string
	Data []byte
}

// Schemas are those of the chart and of the subcharts that the values of the
// user leave switched on, as Helm checks them.
func (c *Chart) Schemas(user *Node) ([]Schema, error) {
	if !c.hasSchema() {
		return nil, nil
	}
	c = c.instance()
	if err := c.switchDependencies(user, ""); err != nil {
		return nil, err
	}
	return c.schemas(nil, nil), nil
}

func (c *Chart) hasSchema() bool {
	return c.schema != nil || slices.ContainsFunc(c.deps, (*Chart).hasSchema)
}

func (c *Chart) schemas(all []Schema, at []string) []Schema {
	if c.schema != nil {
		all = append(all, Schema{Path: at, File: path.Join(path.Dir(c.file), schemaFile), Data: c.schema})
	}
	for _, d := range c.deps {
		all = d.schemas(all, append(at[:len(at):len(at)], d.md.Name))
	}
	return all
}

// Identity is what a chart says of itself.
type Identity struct {
	Name, Version, AppVersion string
	// File is its Chart.yaml.
	File string
}

// Identities are those of the chart and, after it, of all its subcharts.
func (c *Chart) Identities() []Identity {
	all := []Identity{{c.md.Name, c.md.Version, c.md.AppVersion, c.file}}
	for _, d := range c.deps {
		all = append(all, d.Identities()...)
	}
	return all
}
