package plugin

import (
	"io/fs"

	"github.com/syncgate/syncgate/policies/gate"
)

// chooseGate loads the Gate that a request means.
func chooseGate(fsys fs.FS, req Request) (*gate.Gate, error) {
	return req.Gates.Select(fsys, req.Dir, req.Gate)
}

// chooseCluster is the name of the cluster that a request means.
func chooseCluster(g *gate.Gate, req Request) (string, error) {
	return g.SelectCluster(req.Dir, req.Cluster)
}
