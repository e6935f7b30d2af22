package checks_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/policies/gate"
)

const (
	mmVersion = "installation.mattermost.com/v1beta1"
	mmKind    = "Mattermost"
)

// withKinds is a cluster that serves some kinds, with these objects of them.
func withKinds(objects ...runtime.Object) check.Target {
	t := target()
	kube := fake.NewClientset()
	kube.Resources = []*metav1.APIResourceList{
		{GroupVersion: mmVersion, APIResources: []metav1.APIResource{{Name: "mattermosts", Kind: mmKind, Namespaced: true}, {Name: "mattermosts/status", Kind: mmKind, Namespaced: true}}},
		{GroupVersion: "v1", APIResources: []metav1.APIResource{{Name: "secrets", Kind: "Secret", Namespaced: true}, {Name: "namespaces", Kind: "Namespace"}}},
	}
	t.Kube = kube
	t.Dynamic = dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		{Group: "installation.mattermost.com", Version: "v1beta1", Resource: "mattermosts"}: "MattermostList",
		{Version: "v1", Resource: "secrets"}:                                                "SecretList",
		{Version: "v1", Resource: "namespaces"}:                                             "NamespaceList",
	}, objects...)
	return t
}

func object(apiVersion, kind, namespace, name string, fields map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	for k, v := range fields {
		o.Object[k] = v
	}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

func mattermost(generation, observed int64, state string) *unstructured.Unstructured {
	o := object(mmVersion, mmKind, "mm", "mm", map[string]any{"status": map[string]any{"state": state, "observedGeneration": observed}})
	o.SetGeneration(generation)
	return o
}

func TestResource(t *testing.T) {
	t.Parallel()
	settled := gate.ResourceCheck{
		APIVersion: mmVersion, Kind: mmKind, Name: "mm",
		Pass: "object.status.state == 'stable' && object.status.observedGeneration == object.metadata.generation",
		Fail: "object.status.state == 'broken'",
	}
	with := func(change func(*gate.ResourceCheck)) gate.ResourceCheck {
		s := settled
		change(&s)
		return s
	}
	bare := object(mmVersion, mmKind, "mm", "mm", nil)
	for name, c := range map[string]struct {
		spec    gate.ResourceCheck
		objects []runtime.Object
		want    want
	}{
		"settled":                {settled, []runtime.Object{mattermost(2, 2, "stable")}, expect(hooks.Pass, "mattermost mm/mm", "holds")},
		"of an older generation": {settled, []runtime.Object{mattermost(3, 2, "stable")}, expect(hooks.Wait, "generation 3, observed 2, state stable")},
		"at work":                {settled, []runtime.Object{mattermost(2, 2, "reconciling")}, expect(hooks.Wait, "does not hold yet")},
		"failed":                 {settled, []runtime.Object{mattermost(2, 2, "broken")}, expect(hooks.Fail, "broken")},
		"failed counts first":    {with(func(s *gate.ResourceCheck) { s.Pass = "true" }), []runtime.Object{mattermost(2, 2, "broken")}, expect(hooks.Fail)},
		"no status yet":          {settled, []runtime.Object{bare}, expect(hooks.Unknown, "has(")},
		"no status, guarded": {with(func(s *gate.ResourceCheck) {
			s.Fail = ""
			s.Pass = "has(object.status) && object.status.state == 'stable'"
		}), []runtime.Object{bare}, expect(hooks.Wait)},
		"fail cannot be told": {with(func(s *gate.ResourceCheck) { s.Pass = "true" }), []runtime.Object{bare}, expect(hooks.Unknown, "evaluate fail")},
		"shown":               {with(func(s *gate.ResourceCheck) { s.Show = "'state is ' + object.status.state" }), []runtime.Object{mattermost(2, 2, "reconciling")}, expect(hooks.Wait, "state is reconciling")},
		"show cannot be told": {with(func(s *gate.ResourceCheck) { s.Show = "object.nothing" }), []runtime.Object{mattermost(2, 2, "stable")}, expect(hooks.Pass)},
		"values and names": {with(func(s *gate.ResourceCheck) {
			s.Pass = "values.image.tag == '11.6.1' && cluster == 'eu' && ns == 'mm' && gate == 'mattermost' && revision.size() == 40"
		}), []runtime.Object{mattermost(2, 2, "x")}, expect(hooks.Pass)},
		"absent waits":             {settled, nil, expect(hooks.Wait, "found none")},
		"absent fails":             {with(func(s *gate.ResourceCheck) { s.Absent = "Fail" }), nil, expect(hooks.Fail, "found none")},
		"absent passes":            {with(func(s *gate.ResourceCheck) { s.Absent = "Pass" }), nil, expect(hooks.Pass, "there is none")},
		"there, and absent passes": {with(func(s *gate.ResourceCheck) { s.Absent = "Pass" }), []runtime.Object{mattermost(2, 2, "broken")}, expect(hooks.Fail)},
		"no such kind":             {with(func(s *gate.ResourceCheck) { s.Kind, s.Absent = "ClusterInstallation", "Pass" }), nil, expect(hooks.Unknown, "no such kind", "Mattermost")},
		"no such group":            {with(func(s *gate.ResourceCheck) { s.APIVersion, s.Absent = "mattermost.com/v1alpha1", "Pass" }), nil, expect(hooks.Unknown, "CustomResourceDefinition")},
		"of the whole cluster":     {gate.ResourceCheck{APIVersion: "v1", Kind: "Namespace", Name: "${ns}", Pass: "object.metadata.name == 'mm'"}, []runtime.Object{object("v1", "Namespace", "", "mm", nil)}, expect(hooks.Pass, "namespace mm ")},
		"another namespace":        {with(func(s *gate.ResourceCheck) { s.Namespace = "db" }), []runtime.Object{mattermost(2, 2, "stable")}, expect(hooks.Wait, "db/mm")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked(t, made(t, gate.Check{Resource: &c.spec}), withKinds(c.objects...), c.want)
		})
	}
}

func TestResourceShowsNoSecret(t *testing.T) {
	t.Parallel()
	secret := object("v1", "Secret", "mm", "db", map[string]any{
		"data": map[string]any{"password": "aHVudGVyMg=="}, "stringData": map[string]any{"p": "hunter2"},
	})
	secret.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "hunter2"})
	spec := gate.ResourceCheck{APIVersion: "v1", Kind: "Secret", Name: "db", Pass: "has(object.data.password)", Show: "string(object.data.password) + string(object.stringData.p) + object.metadata.annotations['kubectl.kubernetes.io/last-applied-configuration']"}
	a := asked(t, made(t, gate.Check{Resource: &spec}), withKinds(secret), expect(hooks.Pass))
	spec.Show = "object.data.password"
	b := asked(t, made(t, gate.Check{Resource: &spec}), withKinds(secret), expect(hooks.Pass))
	if text := fmt.Sprint(a, b); strings.Contains(text, "hunter2") || strings.Contains(text, "aHVudGVyMg") || !strings.Contains(text, "<redacted>") {
		t.Errorf("the answer holds what the Secret holds: %s", text)
	}
}

func TestResourceFaults(t *testing.T) {
	t.Parallel()
	spec := gate.Check{Resource: &gate.ResourceCheck{APIVersion: mmVersion, Kind: mmKind, Name: "mm", Pass: "true", Absent: "Pass"}}
	gr := schema.GroupResource{Group: "installation.mattermost.com", Resource: "mattermosts"}
	unserved := apierrors.NewGenericServerResponse(404, "get", gr, "mm", "404 page not found", 0, true)
	for name, c := range map[string]struct {
		err  error
		want want
	}{
		"forbidden":        {apierrors.NewForbidden(gr, "mm", errors.New("no")), expect(hooks.Unknown, `verb "get"`, `resource "mattermosts.installation.mattermost.com"`, "Role in namespace mm")},
		"timeout":          {apierrors.NewServerTimeout(gr, "get", 1), expect(hooks.Unknown)},
		"refused":          {errors.New("connection refused"), expect(hooks.Unknown, "connection refused")},
		"no longer served": {unserved, expect(hooks.Unknown)},
		"no such object":   {apierrors.NewNotFound(gr, "mm"), expect(hooks.Pass)},
		"no such resource": {apierrors.NewNotFound(gr, ""), expect(hooks.Unknown)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := withKinds()
			dyn, _ := in.Dynamic.(*dynamicfake.FakeDynamicClient)
			dyn.PrependReactor("get", "mattermosts", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, c.err })
			asked(t, made(t, spec), in, c.want)
		})
	}
}

// The CRD goes between two questions: an object of a kind that is gone is not
// "absent".
func TestResourceWhoseKindGoes(t *testing.T) {
	t.Parallel()
	in := withKinds()
	c := made(t, gate.Check{Resource: &gate.ResourceCheck{APIVersion: mmVersion, Kind: mmKind, Name: "mm", Pass: "true", Absent: "Pass"}})
	asked(t, c, in, expect(hooks.Pass, "there is none"))
	kube, _ := in.Kube.(*fake.Clientset)
	kube.Resources = kube.Resources[1:]
	asked(t, c, in, expect(hooks.Unknown, "CustomResourceDefinition"))
}
