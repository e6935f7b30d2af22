package draft

import (
	"path"
	"slices"
	"strings"
)

// What names say. A grid of folders, clusters in one direction and applications
// in the other, reads both ways; these words tell which is which.
const (
	// Folders of clusters.
	outerWords = "clusters cluster env envs environments environment sites site regions region overlays stages stage targets fleet values"
	// Folders of applications.
	applicationWords = "apps app applications charts services components projects modules releases infra infrastructure"
	// Folders of one application that say nothing of its name.
	innerWords = "chart helm deploy deployment deployments manifests kustomize k8s kubernetes gitops argocd flux config src"
)

func word(list, name string) bool { return slices.Contains(strings.Fields(list), name) }

// axis says whether a pattern's clusters are clusters: 1 when names say so, -1
// when they say that these are applications, else 0.
func (s *survey) axis(p pattern) int {
	parts := strings.Split(p.text, "/")
	i := slices.IndexFunc(parts, func(part string) bool { return strings.Contains(part, mark) })
	parent := path.Join(parts[:i]...)
	switch {
	case slices.ContainsFunc(p.clusters, func(c string) bool { return s.chartNamed(c) != "" }):
		return -1
	case !strings.HasPrefix(parts[i], mark), word(outerWords, path.Base(parent)):
		return 1
	case word(applicationWords, path.Base(parent)) && parent != s.dir:
		return -1
	}
	return 0
}

// appOf is the application's name that a path says: its last folder that is no
// cluster and that says more than how folders are arranged.
func (s *survey) appOf(dir string) string {
	app := ""
	for _, part := range strings.Split(strings.TrimPrefix(dir, s.dir+"/"), "/") {
		if !strings.Contains(part, mark) && part != "." && !sharedName(part) && !word(outerWords+" "+applicationWords+" "+innerWords, part) {
			app = part
		}
	}
	return app
}

// related reports whether every two files in a row have one of their outermost
// keys in common.
func (s *survey) related(files []string) bool {
	for i := 1; i < len(files); i++ {
		if !slices.ContainsFunc(s.keys[files[i]], func(key string) bool { return slices.Contains(s.keys[files[i-1]], key) }) {
			return false
		}
	}
	return true
}
