package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/cmd/internal/validate"
	"github.com/syncgate/syncgate/internal/rootfs"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/report"
	"github.com/syncgate/syncgate/policies/survey"
)

// cachedRepository is a Gate with all kinds of inputs: clusters that a folder's
// files make, a pack, a chart, a schema, a waiver, a link and a rule over a change.
func cachedRepository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"apps/syncgate.yaml": `apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: chat}
spec:
  packs: [./pack.yaml]
  source: {helm: {chart: chart}}
  perCluster: [{path: host, reason: every site has its own}]
  clusters:
  - {name: eu, values: [common.yaml, eu.yaml]}
  - {name: us, values: [common.yaml, us.yaml]}
  waivers:
  - {rule: identical, path: size, reason: until the disks are there, until: "2026-11-30"}
`,
		"apps/pack.yaml": `name: own
description: rules of our own
rules:
- {name: small, expr: "clusters.all(c, clusters[c].replicas < 9)", message: use less}
`,
		"apps/chart/Chart.yaml":  "apiVersion: v2\nname: chat\nversion: 1.0.0\n",
		"apps/chart/values.yaml": "replicas: 1\nsize: 1\n",
		"apps/common.yaml":       "mode: a\n",
		"apps/eu.yaml":           "host: eu\ndb: {password: hunter2-eu}\n",
		"apps/us.yaml":           "host: us\nsize: 2\ndb: {password: hunter2-us}\n",
		"docs/unrelated.md":      "text\n",
	} {
		writeInto(t, dir, name, text)
	}
	return dir
}

func writeInto(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask collects through the cache, and tells whether the answer was kept.
func ask(t *testing.T, dir string, look survey.Options) (report.Report, bool) {
	t.Helper()
	root, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	answers, err := openAnswers("these programs", root, look)
	if err != nil {
		t.Fatal(err)
	}
	r := collectCached(context.WithoutCancel(t.Context()), logger, answers, root, look, false)
	if strings.Contains(log.String(), "could not") || strings.Contains(log.String(), "without a cache") {
		t.Fatalf("the cache is not used: %s", log.String())
	}
	anew, _ := survey.Collect(t.Context(), root.FS(), look)
	r.Elapsed, anew.Elapsed = 0, 0
	for _, format := range report.Formats() {
		if got, want := written(t, format, r), written(t, format, anew); got != want {
			t.Errorf("%s differs from what is evaluated anew (-anew +cached):\n%s", format, cmp.Diff(want, got))
		}
	}
	return r, strings.Contains(log.String(), "nothing that was looked at has changed")
}

func written(t *testing.T, format string, r report.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b, format, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func today() policies.Options {
	return policies.Options{Now: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)}
}

// TestCacheMissesEveryChange changes one input after the other. In each case the
// answer is also held against one that is evaluated anew.
func TestCacheMissesEveryChange(t *testing.T) {
	file := func(name, text string) func(*testing.T, string, *survey.Options) {
		return func(t *testing.T, dir string, _ *survey.Options) { writeInto(t, dir, name, text) }
	}
	tests := []struct {
		name   string
		change func(t *testing.T, dir string, look *survey.Options)
		hit    bool
	}{
		{"nothing", func(*testing.T, string, *survey.Options) {}, true},
		{"a file that says nothing", file("docs/unrelated.md", "other\n"), true},
		{"how many workers", func(_ *testing.T, _ string, o *survey.Options) { o.Policies.Workers = 1 }, true},
		{"the hour", func(_ *testing.T, _ string, o *survey.Options) { o.Policies.Now = o.Policies.Now.Add(time.Hour) }, true},
		{"a values file", file("apps/us.yaml", "host: us\nsize: 3\n"), false},
		{"a comment of a values file", file("apps/common.yaml", "mode: a # x\n"), false},
		{"the chart's values", file("apps/chart/values.yaml", "replicas: 10\n"), false},
		{"the chart's schema, added", file("apps/chart/values.schema.json", `{"required": ["none"]}`), false},
		{"a subchart, added", file("apps/chart/charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"), false},
		{"the pack", file("apps/pack.yaml", "name: own\ndescription: x\nrules:\n- {name: none, expr: \"false\", message: no}\n"), false},
		{"another Gate", file("other/syncgate.yaml", "kind: Gate\n"), false},
		{"the day", func(_ *testing.T, _ string, o *survey.Options) { o.Policies.Now = o.Policies.Now.AddDate(0, 0, 5) }, false},
		{"the paths", func(_ *testing.T, _ string, o *survey.Options) { o.Paths = []string{"apps"} }, false},
		{"the Gate asked for", func(_ *testing.T, _ string, o *survey.Options) { o.Gate = "chat" }, false},
		{"whether there are diffs", func(_ *testing.T, _ string, o *survey.Options) { o.Diffs = true }, false},
		{"the base's values", func(t *testing.T, _ string, o *survey.Options) {
			dir := cachedRepository(t)
			writeInto(t, dir, "apps/us.yaml", "host: older\n")
			o.Base = os.DirFS(dir)
		}, false},
		{"the base's name", func(_ *testing.T, _ string, o *survey.Options) { o.BaseName = "main (abc)" }, false},
		{"no base", func(_ *testing.T, _ string, o *survey.Options) { o.Base = nil }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(validate.CacheVariable, filepath.Join(t.TempDir(), "cache"))
			dir := cachedRepository(t)
			writeInto(t, dir, "apps/syncgate.yaml", readFrom(t, dir, "apps/syncgate.yaml")+
				"  rules:\n  - {name: change, expr: old.mode == new.mode}\n")
			before := cachedRepository(t)
			look := survey.Options{Paths: []string{"."}, Policies: today(), Base: os.DirFS(before), BaseName: "main"}
			if r, hit := ask(t, dir, look); hit || r.Verdict() == report.Unknown {
				t.Fatalf("the first time: hit %v, %+v", hit, r)
			}
			tt.change(t, dir, &look)
			if _, hit := ask(t, dir, look); hit != tt.hit {
				t.Errorf("hit %v, want %v", hit, tt.hit)
			}
		})
	}
}

func readFrom(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestCacheMissesEveryByte turns every byte of every file of the Gate: the answer
// is that of an evaluation anew, and what could not be told is never kept.
func TestCacheMissesEveryByte(t *testing.T) {
	t.Setenv(validate.CacheVariable, filepath.Join(t.TempDir(), "cache"))
	dir := cachedRepository(t)
	look := survey.Options{Paths: []string{"."}, Policies: today()}
	ask(t, dir, look)
	for _, name := range []string{"apps/syncgate.yaml", "apps/us.yaml", "apps/pack.yaml", "apps/chart/Chart.yaml", "apps/chart/values.yaml"} {
		text := readFrom(t, dir, name)
		for i := range text {
			bad := []byte(text)
			bad[i] ^= 1
			writeInto(t, dir, name, string(bad))
			if _, hit := ask(t, dir, look); hit {
				t.Fatalf("byte %d of %s: the old answer was given", i, name)
			}
		}
		writeInto(t, dir, name, text)
	}
}

// TestCacheHasNoSecrets looks for plain secrets in what is kept.
func TestCacheHasNoSecrets(t *testing.T) {
	cached := filepath.Join(t.TempDir(), "cache")
	t.Setenv(validate.CacheVariable, cached)
	dir := cachedRepository(t)
	look := survey.Options{Paths: []string{"."}, Policies: today(), Diffs: true}
	if r, _ := ask(t, dir, look); r.Findings() == 0 {
		t.Fatal("no finding about the passwords")
	}
	names, err := filepath.Glob(filepath.Join(cached, "*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%q, %v; want one entry", names, err)
	}
	data, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte("db.password")) || bytes.Contains(data, []byte("hunter2")) {
		t.Errorf("want a finding about db.password without its values, found %s", data)
	}
	if r, hit := ask(t, dir, look); !hit || !slices.ContainsFunc(r.Gates, func(g report.Gate) bool { return len(g.Waived) == 1 }) {
		t.Errorf("the second time: hit %v, %+v", hit, r)
	}
}
