package image

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const repository = "../.."

func TestBuildStage(t *testing.T) {
	if testing.Short() {
		t.Skip("links every program")
	}
	stages, err := readStages(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	if len(stages) != 2 || stages[0].Name != "build" {
		t.Fatalf("expected a stage named build and the final one, found %+v", stages)
	}
	b := &builder{
		context: repository,
		root:    t.TempDir(),
		given:   map[string]string{"TARGETARCH": runtime.GOARCH, "VERSION": "1.2.3-test"},
	}
	for _, step := range stages[0].Steps {
		if err := b.run(t, step); err != nil {
			t.Fatalf("Dockerfile:%d: %v", step.Line, err)
		}
	}
	for _, name := range []string{"syncgate", "syncgate-cmp", "syncgate-cmp-server", "syncgate-server"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(b.root, "out", name)
			static(t, file)
			starts(t, file)
		})
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(b.root, "out", "syncgate"), "version").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1.2.3-test") {
		t.Errorf("syncgate version: expected 1.2.3-test, found %q, %v", out, err)
	}
}

// static asserts that a binary needs no loader and no shared library.
func static(t *testing.T, file string) {
	t.Helper()
	f, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Errorf("%s asks for a loader: it is not static", file)
		}
	}
	if libs, err := f.ImportedLibraries(); err != nil || len(libs) > 0 {
		t.Errorf("%s: expected no shared library, found %v, %v", file, libs, err)
	}
}

// starts runs a binary with nothing in its environment.
func starts(t *testing.T, file string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), file, "--help")
	cmd.Env = []string{}
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil || len(out) == 0 {
		t.Errorf("%s --help: %v\n%s", file, err, out)
	}
}

func TestFinalStage(t *testing.T) {
	stages, err := readStages(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	final := stages[len(stages)-1]
	last := map[string]string{}
	for _, s := range final.Steps {
		last[s.Op] = s.Args
	}
	if got := last["USER"]; got != "999:999" {
		t.Errorf("USER: expected 999:999, numeric so that runAsNonRoot can be checked, found %q", got)
	}
	if _, ok := last["HEALTHCHECK"]; ok {
		t.Error("HEALTHCHECK: expected none, Kubernetes probes do this")
	}
	if got, want := last["ENTRYPOINT"], `["/sbin/tini", "--", "/usr/local/bin/syncgate"]`; got != want {
		t.Errorf("ENTRYPOINT: expected %s, found %s", want, got)
	}
	copied := slices.IndexFunc(final.Steps, func(s instruction) bool {
		return s.Op == "COPY" && strings.Contains(s.Args, "--from=build")
	})
	if copied < 0 || !strings.Contains(final.Steps[copied].Args, "/out/ /usr/local/bin/") {
		t.Error("COPY --from=build: expected every program that was built")
	}
}

func TestIgnore(t *testing.T) {
	list, err := readIgnore(filepath.Join(repository, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path string
		want bool
	}{
		{".git", true},
		{".cache", true},
		{"test/harness", true},
		{"kubeconfig", true},
		{".env", true},
		{"go.mod", false},
		{"policies", false},
		{"policies/gate/gate.go", false},
		{"policies/gate/gate_test.go", true},
		{"policies/report/testdata", true},
		{"hooks/store/migrations/0001.sql", false},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			if got := list.ignored(tt.path); got != tt.want {
				t.Errorf("expected ignored %t, found %t", tt.want, got)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(repository, "go.mod")); err != nil {
		t.Fatal(err)
	}
}
