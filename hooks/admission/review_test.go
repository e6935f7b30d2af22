package admission_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/admission"
	"github.com/syncgate/syncgate/policies/gate"
)

var (
	noon  = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	chat  = admission.Key{Repository: "fleet", Gate: "chat", Cluster: "eu"}
	kind  = schema.GroupVersionKind{Group: "installation.mattermost.com", Version: "v1beta1", Kind: "Mattermost"}
	image = "mattermost/mattermost-enterprise-edition"
)

func spec(name string) gate.Guard {
	return gate.Guard{APIVersion: "installation.mattermost.com/v1beta1", Kind: "Mattermost", Name: name, Fields: []gate.GuardField{
		{Path: "spec.image", Unset: image}, {Path: "spec.version"},
	}}
}

func guard(t testing.TB, namespace, name string) admission.Guard {
	t.Helper()
	g, err := admission.NewGuard(spec(name), namespace)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func values(name, image, version string) admission.Values {
	return admission.Values{{Kind: kind.GroupKind(), Name: name}: {"spec.image": image, "spec.version": version}}
}

func cover(version string, v hooks.Verdict, until time.Time) admission.Cover {
	return admission.Cover{Run: "run-" + version, Phase: hooks.PreSync, Revision: strings.Repeat("a", 40), Verdict: v, Until: until, Values: values("", image, version)}
}

// body is a Mattermost of the given spec.
func body(spec string) string {
	return `{"apiVersion":"installation.mattermost.com/v1beta1","kind":"Mattermost","metadata":{"name":"mm","namespace":"chat"},"spec":` + spec + `}`
}

func request(op admission.Operation, old, now string) *admission.Request {
	r := &admission.Request{UID: "u", Operation: op, Kind: kind, Namespace: "chat", Name: "mm", Object: body(now)}
	if old != "" {
		r.Old = body(old)
	}
	return r
}

func update(old, now string) *admission.Request { return request(admission.Update, old, now) }
func create(now string) *admission.Request      { return request(admission.Create, "", now) }

func TestReview(t *testing.T) {
	type index = *admission.Index
	guarded := func(more admission.State) func(index) {
		return func(x index) {
			more.Proved = append(more.Proved, guard(t, "chat", ""))
			x.Set(chat, more)
			x.Loaded()
		}
	}
	fresh := admission.State{
		Covers:   []admission.Cover{cover("11.7.4", hooks.Passed, noon.Add(time.Minute))},
		Newest:   &admission.Seen{Run: "run-11.7.4", Phase: hooks.PreSync, Revision: strings.Repeat("a", 40), Verdict: hooks.Passed, FreshUntil: noon.Add(time.Minute)},
		Baseline: &admission.Cover{Values: values("", image, "11.7.3")},
	}
	failed := admission.State{Newest: &admission.Seen{Run: "run-7", Phase: hooks.PreSync, Revision: strings.Repeat("b", 40), Verdict: hooks.Expired, Reason: "the deadline came; held by backup: Wait", Ended: noon.Add(-time.Minute)}}
	raise := update(`{"version":"11.7.3"}`, `{"version":"11.7.4"}`)
	for _, tt := range []struct {
		name    string
		fill    func(index)
		request *admission.Request
		refused []string // nil: let through
		warning string
	}{
		{"covered", guarded(fresh), raise, nil, ""},
		{"image written out, which was the default", guarded(fresh), update(`{"version":"11.7.4"}`, `{"version":"11.7.4","image":"`+image+`"}`), nil, ""},
		{"not guarded field", guarded(failed), update(`{"version":"11.7.3","replicas":2}`, `{"version":"11.7.3","replicas":3}`), nil, ""},
		{"no run", guarded(admission.State{}), raise, []string{`update of Mattermost chat/mm on cluster eu`, `spec.version "11.7.3" → "11.7.4"`, "gate chat", "knows no run", "syncgate override --gate chat --cluster eu"}, ""},
		{"a run that did not pass", guarded(failed), raise, []string{"preSync run run-7 of revision bbbbbbbbbbbb, expired at 2026-11-26T11:59:00Z: the deadline came", "Sync the Application in full"}, ""},
		{"another version passed", guarded(fresh), update(`{"version":"11.7.3"}`, `{"version":"11.7.5"}`), []string{`spec.version "11.7.3" → "11.7.5"`, `passed, and has spec.image "` + image + `", spec.version "11.7.4"`}, ""},
		{"another image beside the version", guarded(fresh), update(`{"version":"11.7.3"}`, `{"version":"11.7.4","image":"evil/image"}`), []string{`spec.image "` + image + `" → "evil/image"`}, ""},
		{"back to the baseline is a downgrade", guarded(fresh), update(`{"version":"11.7.4"}`, `{"version":"11.7.3"}`), []string{`"11.7.4" → "11.7.3"`}, ""},
		{"new as the baseline", guarded(fresh), create(`{"version":"11.7.3"}`), nil, ""},
		{"new as covered", guarded(fresh), create(`{"version":"11.7.4"}`), nil, ""},
		{"new as neither", guarded(fresh), create(`{"version":"11.7.2"}`), []string{`create of Mattermost`, `spec.version is "11.7.2"`}, ""},
		{"stale", guarded(admission.State{
			Covers: []admission.Cover{cover("11.7.4", hooks.Passed, noon)},
			Newest: &admission.Seen{Run: "r", Verdict: hooks.Passed, FreshUntil: noon},
		}), raise, []string{"passed, and was fresh until 2026-11-26T12:00:00Z"}, ""},
		{"overridden", guarded(admission.State{Covers: []admission.Cover{cover("11.7.4", hooks.Overridden, noon.Add(time.Hour))}}), raise, nil, "override, run run-11.7.4, which ends at 2026-11-26T13:00:00Z"},
		{"override has ended", guarded(admission.State{Covers: []admission.Cover{cover("11.7.4", hooks.Overridden, noon.Add(-time.Hour))}}), raise, []string{"no passed, fresh run"}, ""},
		{"field becomes a map", guarded(fresh), update(`{"version":"11.7.3"}`, `{"version":{"a":"11.7.4"}}`), []string{`"11.7.3" → ({"a":"11.7.4"})`}, ""},
		{"field goes", guarded(fresh), update(`{"version":"11.7.3"}`, `{}`), []string{`"11.7.3" → ""`}, ""},
		{"spec becomes a list", guarded(fresh), update(`{"version":"11.7.3"}`, `[]`), []string{"a list where the guard's path expects another kind of value"}, ""},
		{"delete", guarded(admission.State{}), request("DELETE", `{"version":"11.7.3"}`, ``), nil, ""},
		{"connect", guarded(admission.State{}), request("CONNECT", ``, `{}`), nil, ""},
		{"status", guarded(admission.State{}), &admission.Request{Operation: admission.Update, Kind: kind, Namespace: "chat", Name: "mm", SubResource: "status", Object: `x`}, nil, ""},
		{"object is no JSON", guarded(fresh), &admission.Request{Operation: admission.Update, Kind: kind, Namespace: "chat", Name: "mm", Object: `x`}, []string{"could not be read"}, ""},
		{"key twice", guarded(fresh), update(`{"version":"11.7.3"}`, `{"version":"11.7.4","version":"11.7.5"}`), []string{"several members version"}, ""},
		{"old object is not there", guarded(fresh), request(admission.Update, "", `{"version":"11.7.4"}`), []string{"oldObject"}, ""},
		{"other version of the kind", guarded(fresh), &admission.Request{Operation: admission.Update, Kind: schema.GroupVersionKind{Group: kind.Group, Version: "v1", Kind: kind.Kind}, Namespace: "chat", Name: "mm",
			Object: body(`{"version":"1"}`), Old: body(`{"version":"1"}`)}, []string{"sent as version v1, and the guard of gate chat reads version v1beta1", "matchPolicy"}, ""},
		{"kind nobody guards", guarded(admission.State{}), &admission.Request{Operation: admission.Update, Kind: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, Namespace: "chat", Name: "mm", Object: `x`}, nil, ""},
		{"namespace nobody speaks of", guarded(fresh), &admission.Request{Operation: admission.Create, Kind: kind, Namespace: "other", Name: "mm", Object: body(`{"version":"11.7.4"}`)}, []string{"knows no guard there", "spec.guards", "take the label off"}, ""},
		{"its finalizer there", guarded(fresh), &admission.Request{Operation: admission.Update, Kind: kind, Namespace: "other", Name: "mm",
			Old: `{"metadata":{"finalizers":["x"]},"spec":{"a":[1]},"status":1}`, Object: `{"metadata":{},"spec":{"a":[1]}}`}, nil, ""},
		{"other object of a named guard", func(x index) {
			x.Set(chat, admission.State{Proved: []admission.Guard{guard(t, "chat", "other")}})
			x.Loaded()
		}, raise, nil, ""},
		{"nothing is loaded", func(index) {}, raise, []string{"still reading its runs"}, ""},
		{"nothing is loaded, labels", func(index) {}, update(`{"version":"1"}`, `{"version":"1"}`), nil, ""},
		{"the server knows nothing", index.Loaded, raise, []string{"knows no guard there"}, ""},
		{"a gate that cannot be read", func(x index) {
			x.Set(chat, fresh)
			x.Set(admission.Key{Repository: "fleet", Gate: "chat2", Cluster: "eu"}, admission.State{Trouble: "read gate chat2: Git is away", Proved: []admission.Guard{guard(t, "chat", "")}, Covers: fresh.Covers})
			x.Loaded()
		}, raise, []string{"not every guard of the cluster is known", "Git is away"}, ""},
		{"an override beside a gate that cannot be read", func(x index) {
			x.Set(chat, admission.State{Proved: []admission.Guard{guard(t, "chat", "")}, Covers: []admission.Cover{cover("11.7.4", hooks.Overridden, noon.Add(time.Hour))}})
			x.Set(admission.Key{Repository: "fleet", Gate: "chat2", Cluster: "eu"}, admission.State{Trouble: "Git is away"})
			x.Loaded()
		}, raise, nil, "override"},
		{"another cluster's run", func(x index) {
			x.Set(admission.Key{Repository: "fleet", Gate: "chat", Cluster: "us"}, fresh)
			x.Set(chat, admission.State{Proved: []admission.Guard{guard(t, "chat", "")}})
			x.Loaded()
		}, raise, []string{"no passed, fresh run"}, ""},
		{"every gate must cover", func(x index) {
			guarded(fresh)(x)
			x.Set(admission.Key{Repository: "fleet", Gate: "strict", Cluster: "eu"}, admission.State{Head: []admission.Guard{guard(t, "chat", "mm")}})
		}, raise, []string{"gate strict guards this"}, ""},
		{"guard of the branch that no run has", func(x index) {
			x.Set(chat, admission.State{Head: []admission.Guard{guard(t, "chat", "")}})
			x.Loaded()
		}, raise, []string{"knows no run"}, ""},
		{"gate is gone from the branch", guarded(admission.State{Gone: true}), raise, []string{"gate chat guards this"}, ""},
		{"gate was renamed", func(x index) {
			guarded(admission.State{Gone: true})(x)
			renamed := fresh
			renamed.Proved = []admission.Guard{guard(t, "chat", "")}
			x.Set(admission.Key{Repository: "fleet", Gate: "chat2", Cluster: "eu"}, renamed)
		}, raise, nil, ""},
		{"gate of the other name has not passed", func(x index) {
			guarded(admission.State{Gone: true})(x)
			x.Set(admission.Key{Repository: "fleet", Gate: "chat2", Cluster: "eu"}, admission.State{Head: []admission.Guard{guard(t, "chat", "")}, Covers: fresh.Covers})
		}, raise, []string{"gate chat guards this"}, ""},
		{"gate of the other name is of another repository", func(x index) {
			guarded(admission.State{Gone: true})(x)
			other := fresh
			other.Proved = []admission.Guard{guard(t, "chat", "")}
			x.Set(admission.Key{Repository: "other", Gate: "chat2", Cluster: "eu"}, other)
		}, raise, []string{"gate chat guards this"}, ""},
		{"forgotten", func(x index) { guarded(fresh)(x); x.Forget(chat) }, raise, []string{"knows no guard there"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := admission.NewIndex(nil, func() time.Time { return noon })
			tt.fill(x)
			check(t, x.Review("eu", tt.request), tt.refused, tt.warning)
		})
	}
}

func check(t *testing.T, d admission.Decision, refused []string, warning string) {
	t.Helper()
	if d.Allowed != (refused == nil) || d.Allowed != (d.Message == "") || !strings.Contains(d.Warning, warning) || (d.Warning == "") != (warning == "") {
		t.Errorf("expected allowed %v and warning %q, found %+v", refused == nil, warning, d)
	}
	for _, want := range refused {
		if !strings.Contains(d.Message, want) {
			t.Errorf("expected %q in: %s", want, d.Message)
		}
	}
	if strings.Contains(d.Message, "\n") {
		t.Errorf("expected one line, found %q", d.Message)
	}
}

func TestRequiredGuards(t *testing.T) {
	x := admission.NewIndex([]admission.Required{{Repository: "fleet", Gate: "chat", Clusters: []string{"eu"}, Guard: guard(t, "chat", "")}}, func() time.Time { return noon })
	x.Loaded()
	raise := update(`{"version":"11.7.3"}`, `{"version":"11.7.4"}`)
	check(t, x.Review("eu", raise), []string{"gate chat guards this"}, "")
	check(t, x.Review("us", raise), []string{"knows no guard there"}, "")
	// The Gate's own guard went with a revision that passed; this one stays.
	x.Set(chat, admission.State{Covers: []admission.Cover{cover("11.7.4", hooks.Passed, noon.Add(time.Second))}})
	check(t, x.Review("eu", raise), nil, "")
	check(t, x.Review("eu", update(`{"version":"11.7.3"}`, `{"version":"11.7.5"}`)), []string{`"11.7.5"`}, "")
}

func TestGuardNeedsANamespace(t *testing.T) {
	if _, err := admission.NewGuard(spec(""), ""); err == nil || !strings.Contains(err.Error(), "set spec.namespace") {
		t.Errorf("found %v", err)
	}
}

func TestPaths(t *testing.T) {
	for _, tt := range []struct{ path, spec, want string }{
		{`spec.containers[name=app].image`, `{"containers":[{"name":"side","image":"s"},{"name":"app","image":"a:1"}]}`, "a:1"},
		{`spec.containers[1].image`, `{"containers":[{"name":"side","image":"s"},{"name":"app","image":"a:1"}]}`, "a:1"},
		{`spec.containers[7].image`, `{"containers":[{"name":"side","image":"s"}]}`, ""},
		{`spec.containers[name=gone].image`, `{"containers":[{"name":"side","image":"s"}]}`, ""},
		{`spec["a.b"]`, `{"a.b":true}`, "true"},
		{`spec.n`, `{"n":3}`, "3"},
		{`spec.n`, `{"n":1.5}`, "1.5"},
		{`spec.n`, `{"n":null}`, ""},
	} {
		t.Run(tt.path, func(t *testing.T) {
			one := gate.Guard{APIVersion: "installation.mattermost.com/v1beta1", Kind: "Mattermost", Fields: []gate.GuardField{{Path: tt.path}}}
			g, err := admission.NewGuard(one, "chat")
			if err != nil {
				t.Fatal(err)
			}
			x := admission.NewIndex(nil, func() time.Time { return noon })
			x.Set(chat, admission.State{Proved: []admission.Guard{g}, Covers: []admission.Cover{{
				Verdict: hooks.Passed, Until: noon.Add(1), Values: admission.Values{g.Target(): {tt.path: tt.want}},
			}}})
			x.Loaded()
			check(t, x.Review("eu", create(tt.spec)), nil, "")
		})
	}
	two, err := admission.NewGuard(gate.Guard{APIVersion: "installation.mattermost.com/v1beta1", Kind: "Mattermost", Fields: []gate.GuardField{{Path: `spec.c[name=a].image`}}}, "chat")
	if err != nil {
		t.Fatal(err)
	}
	x := admission.NewIndex(nil, func() time.Time { return noon })
	x.Set(chat, admission.State{Proved: []admission.Guard{two}})
	x.Loaded()
	check(t, x.Review("eu", create(`{"c":[{"name":"a","image":"1"},{"name":"a","image":"2"}]}`)), []string{"several members name=a"}, "")
}

func TestSecretsAreNotShown(t *testing.T) {
	g, err := admission.NewGuard(gate.Guard{APIVersion: "installation.mattermost.com/v1beta1", Kind: "Mattermost", Fields: []gate.GuardField{{Path: "spec.password"}, {Path: "spec.image"}}}, "chat")
	if err != nil {
		t.Fatal(err)
	}
	x := admission.NewIndex(nil, func() time.Time { return noon })
	x.Set(chat, admission.State{Proved: []admission.Guard{g}})
	x.Loaded()
	d := x.Review("eu", update(`{"password":"hunter2"}`, `{"password":"hunter3","image":"https://u:hunter4@registry/x"}`))
	if d.Allowed || strings.Contains(d.Message, "hunter") || !strings.Contains(d.Message, "<redacted>") {
		t.Errorf("expected a refusal without the values, found %+v", d)
	}
}

// While some write, others read: never is something let through that no state
// covers.
func TestReviewBesideWriters(t *testing.T) {
	x := admission.NewIndex(nil, func() time.Time { return noon })
	x.Set(chat, admission.State{Proved: []admission.Guard{guard(t, "chat", "")}})
	x.Loaded()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 500 {
			k := admission.Key{Repository: "fleet", Gate: fmt.Sprintf("g%d", i%20), Cluster: "eu"}
			x.Set(k, admission.State{Proved: []admission.Guard{guard(t, "elsewhere", "")}, Covers: []admission.Cover{cover("11.7.4", hooks.Passed, noon.Add(time.Hour))}})
			if i%3 == 0 {
				x.Forget(k)
			}
		}
	}()
	raise := update(`{"version":"11.7.3"}`, `{"version":"11.7.4"}`)
	for {
		if d := x.Review("eu", raise); d.Allowed {
			t.Fatalf("let through: %+v", d)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

const review = `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1","kind":{"group":"installation.mattermost.com","version":"v1beta1","kind":"Mattermost"},
 "namespace":"chat","name":"mm","operation":"UPDATE","userInfo":{"username":"jane"},"object":{"spec":{"version":"2"}},"oldObject":{"spec":{"version":"1"}},"dryRun":false,"new":"unknown"}}`

func TestDecode(t *testing.T) {
	r, err := admission.Decode([]byte(review))
	if err != nil {
		t.Fatal(err)
	}
	if r.UID != "u-1" || r.Kind != kind || r.Namespace != "chat" || r.User != "jane" || r.Old != `{"spec":{"version":"1"}}` {
		t.Errorf("found %+v", r)
	}
	for name, tt := range map[string]struct{ old, new, want string }{
		"not JSON":        {review, "x", "decode review"},
		"empty":           {review, "", "decode review"},
		"an older API":    {"admission.k8s.io/v1", "admission.k8s.io/v1beta1", "v1beta1"},
		"another kind":    {`"AdmissionReview"`, `"ConversionReview"`, "ConversionReview"},
		"no request":      {`"request"`, `"requests"`, "expected a request with uid"},
		"other case":      {`"request"`, `"Request"`, "expected a request with uid"},
		"no uid":          {`"uid":"u-1",`, ``, "expected a request with uid"},
		"a field twice":   {`"name":"mm"`, `"name":"mm","name":"other"`, "is there twice"},
		"too deep":        {`"unknown"`, strings.Repeat("[", 1001) + strings.Repeat("]", 1001), "nested deeper than the limit of 1000"},
		"no text":         {`"name":"mm"`, `"name":{}`, "name: expected text"},
		"no map":          {`{"username":"jane"}`, `[]`, "request.userInfo: expected a map"},
		"something after": {`"new":"unknown"}}`, `"new":"unknown"}}{}`, "decode review"},
		"too long":        {`"unknown"`, `"` + strings.Repeat("x", admission.MaxReview) + `"`, "over the limit of 3145728"},
	} {
		t.Run(name, func(t *testing.T) {
			in := strings.Replace(review, tt.old, tt.new, 1)
			if _, err := admission.Decode([]byte(in)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("expected an error with %q, found %v", tt.want, err)
			}
		})
	}
}

// Whatever is sent, there is an answer; what is let through is one of the
// things that may be.
func FuzzReview(f *testing.F) {
	f.Add([]byte(review))
	f.Add([]byte(strings.Replace(review, `"UPDATE"`, `"CREATE"`, 1)))
	f.Add([]byte(strings.Replace(review, `{"spec":{"version":"2"}}`, `{"spec":[{"version":{}}]}`, 1)))
	x := admission.NewIndex(nil, func() time.Time { return noon })
	x.Set(chat, admission.State{Proved: []admission.Guard{guard(f, "chat", "")}, Covers: []admission.Cover{cover("2", hooks.Passed, noon.Add(1))}})
	x.Loaded()
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := admission.Decode(in)
		if err != nil {
			return
		}
		d := x.Review("eu", r)
		if d.Allowed != (d.Message == "") {
			t.Fatalf("allowed %v with message %q", d.Allowed, d.Message)
		}
		out, err := admission.Encode(r.UID, d)
		if err != nil || !json.Valid(out) {
			t.Fatalf("encode: %v, %q", err, out)
		}
		if guarded := r.Kind.GroupKind() == kind.GroupKind() && r.Namespace == "chat" && r.SubResource == "" && (r.Operation == "UPDATE" || r.Operation == "CREATE"); !d.Allowed || !guarded {
			return
		}
		was, is := version(r.Old), version(r.Object)
		covered := fmt.Sprint(is) == "2"
		same := r.Operation == "UPDATE" && (fmt.Sprint(is) == fmt.Sprint(was) || (is == nil || is == "") && (was == nil || was == ""))
		if !covered && !same {
			t.Fatalf("let through: %s", in)
		}
	})
}

func version(raw string) any {
	var o map[string]any
	_ = json.Unmarshal([]byte(raw), &o)
	spec, _ := o["spec"].(map[string]any)
	return spec["version"]
}
