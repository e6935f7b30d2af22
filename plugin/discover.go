package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/syncgate/syncgate/plugin/render"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/values"
)

// Discover writes the path of the Gate file that an Application at req.Dir
// belongs to, and a line feed. It writes nothing when there is none, or when
// none of its clusters has anything under the folder, or when it only guards
// values and leaves the rendering to others. An Application that names its Gate
// is claimed, and so is one that names its cluster where there is a Gate: Argo
// CD asks of those that name the plugin too, and leaves out a plugin that says
// no. A Gate that cannot be read is claimed all the same: Argo CD would
// otherwise render the folder without any gate.
func Discover(fsys fs.FS, req Request, w io.Writer) error {
	claim, err := claimed(fsys, req)
	if err != nil || claim == "" {
		return err
	}
	if _, err := fmt.Fprintln(w, claim); err != nil {
		return fmt.Errorf("write path of gate: %w", err)
	}
	return nil
}

func claimed(fsys fs.FS, req Request) (string, error) {
	if req.Gate != "" {
		return req.Gate, nil
	}
	dir, err := gate.CleanDir(req.Dir)
	if err != nil {
		return "", err
	}
	file, err := gate.Nearest(fsys, dir)
	if err != nil || file == "" {
		return "", err
	}
	if req.Cluster == "" && !usable(fsys, req.Gates, file, dir) {
		return "", nil
	}
	return file, nil
}

func usable(fsys fs.FS, gates *gate.Known, file, dir string) bool {
	g, err := gates.Load(fsys, file)
	if err != nil {
		return true
	}
	if _, err := render.KindOf(*g); errors.Is(err, render.ErrNoSource) {
		return false
	}
	if g.Dir() == dir || len(g.Spec.ClustersFrom) > 0 {
		return true
	}
	below, err := g.ClustersBelow(dir)
	return err != nil || len(below) > 0
}

// announcement is Argo CD's ParameterAnnouncement.
type announcement struct {
	Name           string `json:"name"`
	Title          string `json:"title"`
	Tooltip        string `json:"tooltip"`
	Required       bool   `json:"required"`
	ItemType       string `json:"itemType"`
	CollectionType string `json:"collectionType"`
	String         string `json:"string"`
}

// Parameters writes the parameters that an Application at req.Dir may set, as
// a JSON list of Argo CD's ParameterAnnouncement: which cluster, which Gate, and
// each value of the cluster that the Gate lets it set. The value of a parameter
// is what holds when it is not set.
func Parameters(ctx context.Context, fsys fs.FS, req Request, w io.Writer) error {
	g, err := chooseGate(fsys, req)
	if err != nil {
		return err
	}
	if g, err = policies.Expand(ctx, fsys, g, req.Policies); err != nil {
		return err
	}
	names := g.ClusterNames()
	chosen, err := chooseCluster(g, req)
	if err != nil {
		chosen = ""
	}
	list := []announcement{{
		Name: ParameterCluster, Title: "Cluster",
		Tooltip:  fmt.Sprintf("Which cluster of gate %s to render: %s", g.Metadata.Name, gate.SomeOrNone(names)),
		Required: chosen == "", ItemType: "string", CollectionType: "string", String: chosen,
	}, {
		Name: ParameterGate, Title: "Gate",
		Tooltip:  "The Gate's name, or the path of its file relative to the Application's path; empty for the one the path belongs to",
		ItemType: "string", CollectionType: "string", String: req.Gate,
	}}
	if kind, _ := render.KindOf(*g); chosen != "" && kind == render.KindHelm {
		list = append(list, announceValues(ctx, fsys, g, chosen, req)...)
	}
	data, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("write parameters: %w", err)
	}
	if _, err := fmt.Fprintf(w, "%s\n", data); err != nil {
		return fmt.Errorf("write parameters: %w", err)
	}
	return nil
}

// announceValues are the values that an Application may set. Values that cannot
// be read announce nothing: what is wrong with them is told when they are to be
// rendered, and the parameters that choose cluster and Gate must stay in reach.
func announceValues(ctx context.Context, fsys fs.FS, g *gate.Gate, cluster string, req Request) []announcement {
	settings, err := policies.Settings(ctx, fsys, g, cluster, req.Policies)
	if err != nil {
		return nil
	}
	list := make([]announcement, 0, len(settings))
	for _, s := range settings {
		a := announcement{
			Name: ParameterValue + s.Path, Title: s.Path, ItemType: "string", CollectionType: "string", String: s.Text,
			Tooltip: fmt.Sprintf("Value of cluster %s alone; without it, what %s says", cluster, s.Position),
		}
		if s.Reason != "" {
			a.Tooltip += ". May differ: " + s.Reason
		}
		switch s.Kind {
		case values.Number:
			a.ItemType = "number"
		case values.Bool:
			a.ItemType = "boolean"
		default: // a string
		}
		list = append(list, a)
	}
	return list
}
