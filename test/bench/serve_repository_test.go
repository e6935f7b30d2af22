package bench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serveShape is the form of a chart.
type serveShape struct {
	name      string
	templates int
	crds      int // bytes, about
}

// serveShapes are an operator's chart, nearly all of it CRDs, and one of many
// templates.
func serveShapes() []serveShape {
	return []serveShape{
		{name: "crds", templates: 8, crds: 590 << 10},
		{name: "templates", templates: 200},
	}
}

// serveRepository writes a repository with a Gate of so many clusters, whose
// values are those of writeFleet, and a chart of the shape in apps/shop.
func serveRepository(tb testing.TB, shape serveShape, clusters int) string {
	tb.Helper()
	dir := tb.TempDir()
	files := map[string]string{
		"chart/Chart.yaml":  "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
		"chart/values.yaml": "replicas: 1\nimage: {repository: \"\", tag: \"\"}\nresources: {requests: {cpu: 100m, memory: 128Mi}}\n",
		"chart/templates/_helpers.tpl": `{{- define "shop.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
`,
		"values/common.yaml": "logging:\n  level: INFO\nreplicas: 3\n",
	}
	var gate strings.Builder
	gate.WriteString(`apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: shop}
spec:
  source: {helm: {chart: chart}}
  perCluster:
    - {path: ingress.host}
    - {path: "**.env[name=SITE_URL].value"}
  listKeys:
    - {path: "**.env", key: name}
  required: [image.tag]
  preSync: {checks: [{name: nodes, nodes: {}}]}
  clusters:
`)
	for i := range clusters {
		name := serveCluster(i)
		fmt.Fprintf(&gate, "    - {name: %s, values: [values/common.yaml, values/%s.yaml]}\n", name, name)
		files["values/"+name+".yaml"] = fleetFile(name, fleetOptions{})
	}
	files["syncgate.yaml"] = gate.String()
	for i := range shape.templates {
		files[fmt.Sprintf("chart/templates/part-%03d.yaml", i)] = serveTemplate(i)
	}
	const crd = 59 << 10
	for i := range shape.crds / crd {
		files[fmt.Sprintf("chart/crds/crd-%02d.yaml", i)] = serveCRD(i, crd)
	}
	for name, text := range files {
		name = filepath.Join(dir, "apps", "shop", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

func serveCluster(i int) string { return fmt.Sprintf("c%05d", i) }

// serveTemplate is a template of an object of about 1 KB.
func serveTemplate(i int) string {
	kinds := []string{"Deployment", "Service", "ConfigMap", "Role", "Ingress"}
	part := fmt.Sprintf("component%d", i%9)
	return fmt.Sprintf(`apiVersion: v1
kind: %s
metadata:
  name: {{ .Release.Name }}-%d
  namespace: {{ .Release.Namespace }}
  labels: {{- include "shop.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.%[3]s.replicas }}
  host: {{ .Values.ingress.host | quote }}
  image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
  {{- if .Values.ingress.enabled }}
  resources: {{- toYaml .Values.%[3]s.resources | nindent 4 }}
  {{- end }}
  env:
  {{- range .Values.%[3]s.env }}
  - name: {{ .name }}
    value: {{ .value | quote }}
  {{- end }}
  description: {{ .Values.%[3]s.description | quote }}
`, kinds[i%len(kinds)], i, part)
}

// serveCRD is a CustomResourceDefinition of a size, with a schema as
// controller-gen writes them.
func serveCRD(i, size int) string {
	r := rand.New(rand.NewPCG(fleetSeed, uint64(i)))
	var b strings.Builder
	fmt.Fprintf(&b, `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  annotations:
    controller-gen.kubebuilder.io/version: v0.16.1
  name: kind%[1]ds.example.com
spec:
  group: example.com
  names:
    kind: Kind%[1]d
    listKind: Kind%[1]dList
    plural: kind%[1]ds
    singular: kind%[1]d
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
`, i)
	for n := 0; b.Len() < size; n++ {
		fmt.Fprintf(&b, "          field%d:\n            description: |-\n", n)
		for range 2 + r.IntN(4) {
			fmt.Fprintf(&b, "              What this field is for, in a sentence of some length %x.\n", r.Uint64())
		}
		b.WriteString("            properties:\n")
		for k := range 3 + r.IntN(6) {
			fmt.Fprintf(&b, "              key%d:\n                description: one of the keys, %x\n                type: string\n", k, r.Uint32())
		}
		b.WriteString("            required:\n            - key0\n            type: object\n")
	}
	return b.String()
}
