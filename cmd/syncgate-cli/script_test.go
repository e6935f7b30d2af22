package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/cmd/internal/plugincmd"
	"github.com/syncgate/syncgate/cmd/internal/validate"
	"github.com/syncgate/syncgate/policies/report"
)

func TestMain(m *testing.M) {
	if os.Getenv(validate.CacheVariable) == "" {
		// No test looks into the cache of whoever runs it: this is no folder.
		if err := os.Setenv(validate.CacheVariable, os.DevNull); err != nil {
			panic(err)
		}
	}
	testscript.Main(m, map[string]func(){
		"syncgate":     func() { os.Exit(validate.Main(os.Args[1:], os.Stdout, os.Stderr)) },
		"syncgate-cli": main,
		"syncgate-cmp": func() {
			os.Exit(cli.Run(plugincmd.New(), os.Args[1:], os.Stdout, os.Stderr))
		},
		// Stands where syncgate-server lies, and says how it was started.
		"syncgate-server": func() {
			fmt.Printf("server %q marker=%s\n", os.Args[1:], os.Getenv("MARKER"))
			os.Exit(7)
		},
	})
}

// TestScripts runs the scripts in testdata/script. Beside testscript's own
// commands they have
//
//	code N syncgate ARGS...   runs the program and expects exit code N
//	json FILE KEY=VALUE...    reads a JSON file and compares fields, "gates.0.name=x"
//	xml FILE                  reads an XML file to its end
//	fill FILE SIZE TEXT       writes TEXT again and again until FILE has SIZE bytes
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "")
			env.Setenv(validate.CacheVariable, filepath.Join(env.WorkDir, ".tmp", "cache"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "json": checkJSON, "xml": checkXML, "fill": fill,
		},
	})
}

// code runs the program; its output is stdout and stderr for the next lines.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program [args...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = fmt.Sprint(exit.ExitCode())
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

func checkJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: json FILE [KEY=VALUE...]")
	}
	var doc any
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(dec.Decode(&doc))
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		ts.Fatalf("%s: something follows the document", args[0])
	}
	for _, arg := range args[1:] {
		key, want, _ := strings.Cut(arg, "=")
		v := doc
		for part := range strings.SplitSeq(key, ".") {
			switch in := v.(type) {
			case map[string]any:
				v = in[part]
			case []any:
				i := -1
				_, _ = fmt.Sscan(part, &i)
				switch {
				case part == "length":
					v = len(in)
				case i >= 0 && i < len(in):
					v = in[i]
				default:
					ts.Fatalf("%s: no %s", args[0], key)
				}
			default:
				ts.Fatalf("%s: no %s", args[0], key)
			}
		}
		if got := fmt.Sprint(v); got != want {
			ts.Fatalf("%s: %s is %s, want %s", args[0], key, got, want)
		}
	}
}

func checkXML(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: xml FILE")
	}
	dec := xml.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	for {
		_, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		ts.Check(err)
	}
}

func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: fill FILE SIZE TEXT")
	}
	var size int
	_, err := fmt.Sscan(args[1], &size)
	ts.Check(err)
	text := strings.ReplaceAll(args[2], `\n`, "\n")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat(text, size/len(text)+1)), 0o600))
}

// TestExamples validates every example, as its README says.
func TestExamples(t *testing.T) {
	dirs, err := filepath.Glob("../../examples/*/syncgate.yaml")
	if err != nil || len(dirs) < 4 {
		t.Fatalf("find examples: %v, %d found", err, len(dirs))
	}
	for _, file := range dirs {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var out, errs strings.Builder
			if code := run([]string{"validate", dir}, &out, &errs); code != 0 {
				t.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
			}
			if !strings.Contains(out.String(), "1 of 1 gate holds") {
				t.Errorf("got %s", out.String())
			}
			readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
			if err != nil {
				t.Fatal(err)
			}
			if want := "$ syncgate validate examples/" + filepath.Base(dir); !strings.Contains(string(readme), want) {
				t.Errorf("its README does not say %q", want)
			}
		})
	}
}

// TestExamplesDrift does to a copy of each example what its README proposes,
// and expects one finding at that path.
func TestExamplesDrift(t *testing.T) {
	tests := []struct {
		example, file, old, new, path string
	}{
		{"mattermost-operator", "clusters/us/values.yaml", "version: 11.7.4", "version: 11.7.3", "mattermostCR.spec.version"},
		{"mattermost-operator", "clusters/us/values.yaml", `"104857600"`, `"52428800"`, "mattermostCR.spec.mattermostEnv[name=MM_FILESETTINGS_MAXFILESIZE].value"},
		{"helm-deployment", "values/us.yaml", "region: us", "region: us\nimage: {tag: 2.3.2}", "image.tag"},
		{"kustomize", "overlays/eu/settings.yaml", "retries: 5", "retries: 4", "queue.retries"},
		{"kustomize", "overlays/eu/settings.yaml", "priority: 10", "priority: 9", "queue.topics[name=welcome].priority"},
		{"argocd-applications", "values/us.yaml", "settings:", "image: {tag: 2.3.2}\nsettings:", "image.tag"},
		{"argocd-applications", "argocd/shop.yaml", "targetRevision: main\n          path", "targetRevision: \"{{.cluster}}\"\n          path", "$source.targetRevision"},
		{"flux-helmrelease", "clusters/us/shop.yaml", "kind: SealedSecret", "kind: OpaqueSecret", "$source.valuesFrom[0].found"},
		{"kustomize-helmrelease", "clusters/us/values.yaml", "    region: us", "    region: us\n    image: {tag: 2.3.2}", "image.tag"},
		{"plain", "manifests/eu/config.yaml", "CACHE_TTL: 5m", "CACHE_TTL: 6m", "data.CACHE_TTL"},
	}
	for _, tt := range tests {
		t.Run(tt.example+"/"+tt.path, func(t *testing.T) {
			dir := repository(t, tt.example)
			file := filepath.Join(dir, tt.file)
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			drifted := strings.Replace(string(raw), tt.old, tt.new, 1)
			if drifted == string(raw) {
				t.Fatalf("%s does not hold %q", tt.file, tt.old)
			}
			if err := os.WriteFile(file, []byte(drifted), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, errs strings.Builder
			if code := run([]string{"validate", dir, "-o", "json"}, &out, &errs); code != exitNo {
				t.Fatalf("exit code %d, want %d\n%s%s", code, exitNo, out.String(), errs.String())
			}
			var doc report.Document
			if err := json.Unmarshal([]byte(out.String()), &doc); err != nil {
				t.Fatal(err)
			}
			if len(doc.Gates) != 1 || len(doc.Gates[0].Findings) != 1 || doc.Gates[0].Findings[0].Path != tt.path {
				t.Errorf("want one finding at %s, got %s", tt.path, out.String())
			}
		})
	}
}
