package main

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/yaml"

	"github.com/syncgate/syncgate/plugin/inject"
	"github.com/syncgate/syncgate/policies/gate"
)

// TestHookJobsRunThisProgram holds what the plugin writes into hook Jobs
// against what "syncgate hook" accepts.
func TestHookJobsRunThisProgram(t *testing.T) {
	g := &gate.Gate{Metadata: gate.Metadata{Name: "shop"}}
	g.Spec.PreSync.Checks = []gate.Check{{Name: "nodes"}}
	g.Spec.PostSync.Checks = []gate.Check{{Name: "pods"}}
	sha := strings.Repeat("0123456789", 4)
	jobs, err := inject.Jobs(g, inject.Change{Repository: "https://git.example.com/r.git", Revision: sha, Cluster: "eu"},
		inject.Config{Image: "i", Server: "https://syncgate.example.com"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(jobs) != 3 {
		t.Fatalf("%d Jobs, want 3", len(jobs))
	}
	for _, o := range jobs {
		t.Run(o.Name, func(t *testing.T) {
			var job batchv1.Job
			if err := yaml.Unmarshal(o.Data, &job); err != nil {
				t.Fatal(err)
			}
			c := job.Spec.Template.Spec.Containers[0]
			if c.Command[0] != "syncgate" {
				t.Fatalf("runs %q", c.Command)
			}
			cmd, rest, err := newRootCommand().Find(append(c.Command[1:], c.Args...))
			if err != nil || cmd.CommandPath() != strings.Join(c.Command, " ") {
				t.Fatalf("found %q, %v; want %q", cmd.CommandPath(), err, c.Command)
			}
			if err := cmd.ParseFlags(rest); err != nil {
				t.Fatalf("flags: %v", err)
			}
			if err := cmd.ValidateRequiredFlags(); err != nil {
				t.Fatalf("flags: %v", err)
			}
			if n := cmd.Flags().NArg(); n > 0 {
				t.Errorf("%d arguments that are no flags: %q", n, cmd.Flags().Args())
			}
			for flag, want := range map[string]string{
				"server": "https://syncgate.example.com", "repository": "https://git.example.com/r.git",
				"gate": "shop", "cluster": "eu", "revision": sha, "attempt": "$(SYNCGATE_ATTEMPT)",
				"token-file": "/var/run/secrets/syncgate/token",
			} {
				if got := cmd.Flag(flag).Value.String(); got != want {
					t.Errorf("--%s is %q, want %q", flag, got, want)
				}
			}
		})
	}
}
