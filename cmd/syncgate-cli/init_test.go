package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/cmd/internal/plugincmd"
)

// repository is a copy of an example, as a repository of its own.
func repository(t *testing.T, example string) (dir string) {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, ".git"), 0o700); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(root, "examples", example)
	if err := os.CopyFS(dir, os.DirFS("../../examples/"+example)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestInitExamples drafts a Gate for every example that has one, which must hold
// right away.
func TestInitExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/syncgate.yaml")
	if err != nil || len(files) < 7 {
		t.Fatalf("find examples: %v, %d found", err, len(files))
	}
	for _, file := range files {
		example := filepath.Base(filepath.Dir(file))
		t.Run(example, func(t *testing.T) {
			dir := repository(t, example)
			gate := filepath.Join(dir, "syncgate.yaml")
			before, err := os.ReadFile(gate)
			if err != nil {
				t.Fatal(err)
			}
			call := func(want int, args ...string) (stdout, stderr string) {
				t.Helper()
				var out, errs strings.Builder
				if code := run(args, &out, &errs); code != want {
					t.Fatalf("syncgate %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, out.String(), errs.String())
				}
				return out.String(), errs.String()
			}
			if _, errs := call(exitUnknown, "init", dir); !strings.Contains(errs, "--force") {
				t.Errorf("a file that is there: got %s", errs)
			}
			text, _ := call(0, "init", dir, "--dry-run")
			if after, err := os.ReadFile(gate); err != nil || !bytes.Equal(after, before) {
				t.Fatalf("the Gate changed without --force: %v", err)
			}
			_, errs := call(0, "init", dir, "--force")
			if after, err := os.ReadFile(gate); err != nil || string(after) != text {
				t.Errorf("--dry-run showed another Gate than was written: %v", err)
			}
			if !strings.Contains(errs, "found: clusters: ") || !strings.Contains(errs, "to confirm") {
				t.Errorf("stderr does not say what was found: %s", errs)
			}
			if out, _ := call(0, "validate", dir); !strings.Contains(out, "1 of 1 gate holds") {
				t.Errorf("got %s", out)
			}
			if !strings.Contains(text, "perCluster:") || !strings.Contains(text, "differs today") {
				t.Errorf("no key path to confirm in\n%s", text)
			}
		})
	}
}

// TestInitNothing holds that a folder without clusters gives no Gate.
func TestInitNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "values.yaml"), []byte("a: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	if code := run([]string{"init", dir}, &out, &errs); code != exitNo {
		t.Errorf("exit code %d, want %d\n%s", code, exitNo, errs.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "syncgate.yaml")); err == nil {
		t.Error("a Gate was written")
	}
}

// TestInitSeveral holds that of several applications none is taken silently, and
// that what is named for one drafts its Gate.
func TestInitSeveral(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"shop", "blog"} {
		for file, text := range map[string]string{
			"charts/" + name + "/Chart.yaml":          "name: " + name + "\nversion: 1.0.0\n",
			"charts/" + name + "/values.yaml":         "a: 1\n",
			"clusters/eu/" + name + "/values.yaml":    "b: 1\n",
			"clusters/us/" + name + "/values.yaml":    "b: 2\n",
			".git/" + name:                            "",
			"clusters/eu/" + name + "/dashboard.yaml": "c: 1\n",
		} {
			file = filepath.Join(root, filepath.FromSlash(file))
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	call := func(want int, args ...string) string {
		t.Helper()
		var out, errs strings.Builder
		if code := run(args, &out, &errs); code != want {
			t.Fatalf("syncgate %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, out.String(), errs.String())
		}
		return out.String() + errs.String()
	}
	out := call(exitUnknown, "init", root)
	for _, want := range []string{"; syncgate init charts/blog\n", "; syncgate init charts/shop\n", "expected one application, found 2"} {
		if !strings.Contains(out, want) {
			t.Errorf("expected %q in\n%s", want, out)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "syncgate.yaml")); err == nil {
		t.Error("a Gate was written")
	}
	shop := filepath.Join(root, "charts", "shop")
	if out := call(0, "init", shop); !strings.Contains(out, "not covered: clusters/eu/shop/dashboard.yaml") {
		t.Errorf("got %s", out)
	}
	if out := call(0, "validate", shop); !strings.Contains(out, "1 of 1 gate holds") {
		t.Errorf("got %s", out)
	}
}

// TestInitApplicationSets names the Gates of what the ApplicationSets of an
// example without one install.
func TestInitApplicationSets(t *testing.T) {
	var out, errs strings.Builder
	if code := run([]string{"init", "--root", "../..", "../../examples/applicationset"}, &out, &errs); code != exitNo {
		t.Errorf("exit code %d, want %d\n%s", code, exitNo, errs.String())
	}
	for _, want := range []string{
		"ApplicationSet shop installs examples/helm-deployment, which the Gate examples/helm-deployment/syncgate.yaml guards",
		"ApplicationSet mailer installs examples/kustomize/overlays, which the Gate examples/kustomize/syncgate.yaml guards",
	} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("expected %q in\n%s", want, errs.String())
		}
	}
}

// TestDeliveredRenders renders a cluster of each example whose values follow
// from the objects of Argo CD and Flux.
func TestDeliveredRenders(t *testing.T) {
	for _, tt := range []struct {
		example string
		want    []string // in what is rendered; none: it is refused
		refused string
	}{
		{"argocd-applications", []string{"kind: Deployment", "name: shop", "replicas: 4", "registry.example.com/shop:2.3.1", "shop-eu.example.com"}, ""},
		{"kustomize-helmrelease", []string{"kind: Deployment", "name: shop", "replicas: 4", "registry.example.com/shop:2.3.1", "shop-eu.example.com"}, ""},
		{"flux-helmrelease", nil, "not to be read in Git (Secret shop-payment, key token: SealedSecret)"},
	} {
		t.Run(tt.example, func(t *testing.T) {
			var out, errs strings.Builder
			code := cli.Run(plugincmd.New(), []string{"generate", "--cluster", "eu", "--no-hooks", repository(t, tt.example)}, &out, &errs)
			if tt.refused != "" {
				if code == 0 || !strings.Contains(errs.String(), tt.refused) || out.Len() > 0 {
					t.Errorf("exit code %d, %d bytes, %s", code, out.Len(), errs.String())
				}
				return
			}
			if code != 0 {
				t.Fatalf("exit code %d\n%s", code, errs.String())
			}
			for _, want := range tt.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("expected %q in\n%s", want, out.String())
				}
			}
		})
	}
}
