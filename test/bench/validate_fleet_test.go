package bench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fleetOptions say what kind of fleet is made.
type fleetOptions struct {
	clusters int
	// anchors puts an anchor and an alias into every file, which takes the
	// files off the plain part of YAML that is read fastest.
	anchors bool
	// chart puts a chart with defaults under the values.
	chart bool
	// rule puts a CEL rule over all clusters into the Gate.
	rule bool
}

// fleetSeed makes every fleet of one size the same.
const fleetSeed = 20260101

// writeFleet writes a Gate with its clusters: two shared files, and one file of
// 120 leaves and about 8 KB for each cluster. All clusters agree but for the
// paths that the Gate lists.
func writeFleet(tb testing.TB, o fleetOptions) string {
	tb.Helper()
	dir := tb.TempDir()
	write := func(name, text string) {
		tb.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	var gate strings.Builder
	gate.WriteString("apiVersion: syncgate.dev/v1alpha1\nkind: Gate\nmetadata:\n  name: fleet\nspec:\n")
	if o.chart {
		gate.WriteString("  source:\n    helm:\n      chart: chart\n")
		write("chart/Chart.yaml", "apiVersion: v2\nname: fleet\nversion: 1.0.0\n")
		write("chart/values.yaml", fleetFile("default", fleetOptions{}))
	}
	gate.WriteString("  perCluster:\n  - path: ingress.host\n    reason: every site has its own name\n  - path: \"**.env[name=SITE_URL].value\"\n")
	gate.WriteString("  listKeys:\n  - path: \"**.env\"\n    key: name\n  required:\n  - image.tag\n")
	if o.rule {
		gate.WriteString("  rules:\n  - name: hosts\n    expr: clusters.all(c, clusters[c].ingress.host.contains(c) && clusters[c].component0.replicas > 0)\n")
	}
	gate.WriteString("  clusters:\n")
	for i := range o.clusters {
		name := fmt.Sprintf("c%05d", i)
		fmt.Fprintf(&gate, "  - name: %s\n    values: [shared/common.yaml, shared/sizes.yaml, clusters/%s/values.yaml]\n", name, name)
		write("clusters/"+name+"/values.yaml", fleetFile(name, o))
	}
	write("syncgate.yaml", gate.String())
	write("shared/common.yaml", "global:\n  region: any\nimage:\n  tag: 11.6.0\nlogging:\n  level: INFO\n")
	write("shared/sizes.yaml", "replicas: 3\nresources:\n  limits:\n    cpu: \"2\"\n    memory: 4Gi\n")
	return dir
}

// fleetFile is one values file: 120 leaves, about 8 KB, comments included.
func fleetFile(cluster string, o fleetOptions) string {
	r := rand.New(rand.NewPCG(fleetSeed, 1)) // the same in every cluster
	words := func(n int) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf("%x", r.Uint32())
		}
		return strings.Join(parts, " ")
	}
	var b strings.Builder
	b.WriteString("# Values of one site. What is not listed in the Gate is the same at every site.\n")
	b.WriteString("image:\n  repository: registry.example.com/platform/application\n  tag: \"11.6.1\"\n")
	fmt.Fprintf(&b, "ingress:\n  enabled: true\n  host: app.%s.example.com\n  tls: yes\n", cluster)
	if o.anchors {
		b.WriteString("base: &base {x: 1}\ncopy: *base\n")
	}
	b.WriteString("extraArgs: [--log-level, info, --verbose, --color, never, --metrics]\n")
	b.WriteString("script: |\n  #!/bin/sh\n  set -eu\n  exec /usr/bin/application \"$@\"\n")
	for part := range 9 {
		fmt.Fprintf(&b, "component%d:\n  # The switches of this part, %s.\n  enabled: %t\n", part, words(6), r.IntN(2) == 0)
		fmt.Fprintf(&b, "  replicas: %d\n  schedule: \"*/%d * * * *\"\n", 1+r.IntN(5), 5+r.IntN(20))
		fmt.Fprintf(&b, "  resources:\n    requests:\n      cpu: %dm\n      memory: %dMi\n", 100+r.IntN(900), 128+r.IntN(900))
		fmt.Fprintf(&b, "  env:\n  - name: SITE_URL\n    value: https://app.%s.example.com/%d\n", cluster, part)
		fmt.Fprintf(&b, "  - name: COMPONENT_SETTING_%d\n    value: 'the setting of this part, %s'\n", part, words(16))
		fmt.Fprintf(&b, "  labels:\n    app.kubernetes.io/part-of: platform\n    app.kubernetes.io/component: part-%d\n", part)
		fmt.Fprintf(&b, "  # Why it is so: %s.\n  description: what this part does and who to ask, %s\n", words(14), words(9))
	}
	return b.String()
}
