package packs

import "go.yaml.in/yaml/v4"

// Case is a test of a pack: values in, findings out.
type Case struct {
	// Name says what it shows.
	Name string `yaml:"name"`
	// Clusters are the values of each cluster.
	Clusters map[string]yaml.Node `yaml:"clusters"`
	// Old are the values that passed before. A cluster that is not there was
	// not there before; without any, nothing is known of before.
	Old map[string]yaml.Node `yaml:"old"`
	// Chart and OldChart are the chart of the values.
	Chart    *CaseChart `yaml:"chart"`
	OldChart *CaseChart `yaml:"oldChart"`
	// Want are the findings: the names of rules, each as often as it has
	// findings, in any order.
	Want []string `yaml:"want"`
	// Says are texts of which each must stand in a finding's message or fix.
	Says []string `yaml:"says"`
	// Skipped are the names of the rules that could not be asked.
	Skipped []string `yaml:"skipped"`
}

// CaseChart is what a Chart.yaml says.
type CaseChart struct {
	Name       string `yaml:"name"`
	Version    string `yaml:"version"`
	AppVersion string `yaml:"appVersion"`
}
