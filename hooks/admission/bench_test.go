package admission_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/admission"
)

func BenchmarkReview(b *testing.B) {
	object := func(version string) map[string]any {
		env := []any{}
		for i := range 60 {
			env = append(env, map[string]any{"name": fmt.Sprintf("MM_SETTING_%d", i), "value": strings.Repeat("x", 40)})
		}
		return map[string]any{"metadata": map[string]any{"managedFields": strings.Repeat("f", 3000)}, "spec": map[string]any{"version": version, "mattermostEnv": env}}
	}
	text, err := json.Marshal(map[string]any{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": map[string]any{
		"uid": "u", "kind": map[string]any{"group": kind.Group, "version": kind.Version, "kind": kind.Kind},
		"namespace": "chat", "name": "mm", "operation": "UPDATE", "object": object("2"), "oldObject": object("1"),
	}})
	if err != nil {
		b.Fatal(err)
	}
	x := admission.NewIndex(nil, func() time.Time { return noon })
	x.Set(chat, admission.State{Proved: []admission.Guard{guard(b, "chat", "")}, Covers: []admission.Cover{cover("2", hooks.Passed, noon.Add(1))}})
	x.Loaded()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := admission.Decode(text)
		if err != nil {
			b.Fatal(err)
		}
		if d := x.Review("eu", r); !d.Allowed {
			b.Fatal(d.Message)
		}
	}
}
