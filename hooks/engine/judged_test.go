package engine_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
)

// Another gate than before is told of once, whichever of the Application's fields
// names it, and going back is told of too.
func TestObserveAnotherGate(t *testing.T) {
	w := world(t, "30m")
	tree := enginetest.Tree(gateSpec("30m"))
	for name, file := range enginetest.Tree("") {
		if strings.HasSuffix(name, "syncgate.yaml") {
			text := strings.Replace(string(file.Data), "name: chat", "name: lax", 1)
			tree["lax/"+name] = &fstest.MapFile{Data: []byte(text)}
		} else {
			tree["lax/"+name] = file
		}
	}
	w.Git.Commit("b", "a", tree)
	e := watching(t, w)
	for _, phase := range []hooks.Phase{hooks.PreSync, hooks.PostSync} {
		evaluate(t, e, enginetest.Change(phase, "b", "job"))
	}
	for _, step := range []struct {
		name, id string
		edit     func(*gitops.Operation)
		reason   string
		want     string
	}{
		{"the first", "1", nil, "GatePassed", ""},
		{"the same again", "2", nil, "GatePassed", ""},
		{"another one, that failed", "3", func(op *gitops.Operation) { op.Applied, op.Sources[0].Gate = false, "lax" }, "", ""},
		{"another one", "4", func(op *gitops.Operation) { op.Sources[0].Gate = "lax" }, "GateChanged",
			"a sync by ada to bbbbbbbbbbbb was judged by gate lax on cluster eu (repository fleet), and those of this Application before it by gate chat on cluster eu (repository fleet)"},
		{"that one, seen again", "4", func(op *gitops.Operation) { op.Sources[0].Gate = "lax" }, "GateChanged", "judged by gate lax"},
		{"that one, seen much later", "4", func(op *gitops.Operation) {
			op.Sources[0].Gate, op.Finished = "lax", time.Now().Add(-time.Hour)
		}, "", ""},
		{"another Application", "5", func(op *gitops.Operation) { op.ApplicationID, op.Sources[0].Gate = "u-2", "lax" }, "", ""},
		{"by its path", "6", func(op *gitops.Operation) { op.Sources[0].Path = "lax" }, "", ""},
		{"back", "7", nil, "GateChanged", "judged by gate chat on cluster eu (repository fleet), and those of this Application before it by gate lax on cluster eu (repository fleet): unless that was meant, put its source and the plugin's parameters back, and sync; GatePassed: revision bbbbbbbbbbbb of gate chat"},
	} {
		t.Run(step.name, func(t *testing.T) {
			op := operation("b", step.edit)
			op.ID = "u-1@" + step.id
			n := observe(t, e, op)
			switch {
			case n == nil && step.reason == "":
			case n == nil, n.Reason != step.reason, n.Warning != (step.reason == "GateChanged"), !strings.Contains(n.Message, step.want):
				t.Errorf("got %+v, want %s: %s", n, step.reason, step.want)
			}
		})
	}
	log, err := e.AuditLog(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, a := range log {
		if a.Action == "bypass" && a.Subject == "ada" && strings.Contains(a.Detail, "was judged by gate") {
			told++
		}
	}
	if told != 2 {
		t.Errorf("audit log: expected two changes, found %d: %+v", told, log)
	}
}
