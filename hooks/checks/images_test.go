package checks_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/policies/gate"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

const mm = "mattermost/mattermost-enterprise-edition"

// runs is a pod that asks for one image while its kubelet reports another.
func runs(asked, reported, id string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Image = asked
		p.Status.ContainerStatuses[0].Image, p.Status.ContainerStatuses[0].ImageID = reported, id
	}
}

func right(p *corev1.Pod) {
	runs(mm+":11.6.1", "docker.io/"+mm+":11.6.1", "docker.io/"+mm+"@"+digestA)(p)
}

func TestImages(t *testing.T) {
	t.Parallel()
	const fromValues = "${values.image.repository + ':' + values.image.tag}"
	old := runs(mm+":11.5.0", "docker.io/"+mm+":11.5.0", "docker.io/"+mm+"@"+digestB)
	two := func(p *corev1.Pod) {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "proxy", Image: "envoy:1"})
	}
	for name, c := range map[string]struct {
		image, container string
		min              int
		pods             []runtime.Object
		want             want
	}{
		"all run it":                     {fromValues, "", 2, []runtime.Object{pod("a", right), pod("b", right)}, expect(hooks.Pass, "all 2 run docker.io/"+mm+":11.6.1")},
		"one runs the old one":           {fromValues, "", 1, []runtime.Object{pod("a", right), pod("b", old)}, expect(hooks.Wait, "not so in b", "asks for docker.io/"+mm+":11.5.0")},
		"none is there":                  {fromValues, "", 1, nil, expect(hooks.Wait, "at least 1", "found 0")},
		"too few":                        {fromValues, "", 2, []runtime.Object{pod("a", right)}, expect(hooks.Wait, "at least 2", "found 1")},
		"the old one is on its way out":  {fromValues, "", 1, []runtime.Object{pod("a", right), pod("b", old, deleted(0))}, expect(hooks.Pass, "all 1")},
		"one that ended does not count":  {fromValues, "", 1, []runtime.Object{pod("a", right), pod("b", old, phase(corev1.PodFailed))}, expect(hooks.Pass, "all 1")},
		"a Job's does not count":         {fromValues, "", 1, []runtime.Object{pod("a", old, ownedBy("Job", "j"))}, expect(hooks.Wait, "found 0")},
		"another registry":               {"registry.example.com/" + fromValues, "", 1, []runtime.Object{pod("a", right)}, expect(hooks.Wait, "asks for")},
		"not started":                    {fromValues, "", 1, []runtime.Object{pod("a", right, waiting("ContainerCreating", ""), func(p *corev1.Pod) { p.Status.ContainerStatuses[0].ImageID = "" })}, expect(hooks.Wait, "has not started")},
		"no status":                      {fromValues, "", 1, []runtime.Object{pod("a", right, func(p *corev1.Pod) { p.Status.ContainerStatuses = nil })}, expect(hooks.Wait, "has not started")},
		"spec changed, old one runs":     {fromValues, "", 1, []runtime.Object{pod("a", runs(mm+":11.6.1", "docker.io/"+mm+":11.5.0", "docker.io/"+mm+"@"+digestB))}, expect(hooks.Wait, "its kubelet reports docker.io/"+mm+":11.5.0")},
		"another tag of the same":        {fromValues, "", 1, []runtime.Object{pod("a", right), pod("b", runs(mm+":11.6.1", "docker.io/"+mm+":stable", "docker.io/"+mm+"@"+digestA))}, expect(hooks.Pass, "all 2")},
		"named by its own hash":          {fromValues, "", 1, []runtime.Object{pod("a", runs(mm+":11.6.1", digestB, digestB))}, expect(hooks.Pass)},
		"hash and another repository":    {fromValues, "", 1, []runtime.Object{pod("a", runs(mm+":11.6.1", digestB, "docker.io/library/x@"+digestB))}, expect(hooks.Wait, "its kubelet reports")},
		"docker's form of the ID":        {mm + ":11.6.1@" + digestA, "", 1, []runtime.Object{pod("a", runs(mm+":11.6.1@"+digestA, mm+":11.6.1", "docker-pullable://"+mm+"@"+digestA))}, expect(hooks.Pass)},
		"tag and digest":                 {mm + ":11.6.1@" + digestA, "", 1, []runtime.Object{pod("a", runs(mm+":11.6.1@"+digestA, digestB, "docker.io/"+mm+"@"+digestA))}, expect(hooks.Pass)},
		"digest as the tag":              {mm + ":" + digestA, "", 1, []runtime.Object{pod("a", runs(mm+"@"+digestA, "", "docker.io/"+mm+"@"+digestA))}, expect(hooks.Pass)},
		"another digest":                 {mm + ":11.6.1@" + digestA, "", 1, []runtime.Object{pod("a", runs(mm+":11.6.1@"+digestB, "", "docker.io/"+mm+"@"+digestB))}, expect(hooks.Wait, "asks for docker.io/"+mm+":11.6.1@"+digestB)},
		"the tag runs the digest":        {mm + ":11.6.1@" + digestA, "", 1, []runtime.Object{pod("a", right)}, expect(hooks.Pass)},
		"the tag runs another digest":    {mm + ":11.6.1@" + digestB, "", 1, []runtime.Object{pod("a", right)}, expect(hooks.Wait, "its kubelet reports")},
		"the tag, digest not told":       {mm + ":11.6.1@" + digestA, "", 1, []runtime.Object{pod("a", runs(mm+":11.6.1", "docker.io/"+mm+":11.6.1", digestB))}, expect(hooks.Wait, "its kubelet reports")},
		"the tag, named by its own hash": {mm + ":11.6.1@" + digestA, "", 1, []runtime.Object{pod("a", runs(mm+":11.6.1", digestB, digestB))}, expect(hooks.Wait, "its kubelet reports")},
		"by digest, digest not told":     {mm + ":11.6.1@" + digestA, "", 1, []runtime.Object{pod("a", runs(mm+":11.6.1@"+digestA, "docker.io/"+mm+":11.6.1", digestB))}, expect(hooks.Pass)},
		"by digest, of one platform":     {mm + "@" + digestA, "", 1, []runtime.Object{pod("a", runs(mm+"@"+digestA, mm+"@"+digestA, mm+"@"+digestB))}, expect(hooks.Pass)},
		"a container of two":             {fromValues, "app", 1, []runtime.Object{pod("a", right, two)}, expect(hooks.Pass)},
		"no container of two":            {fromValues, "", 1, []runtime.Object{pod("a", right, two)}, expect(hooks.Unknown, "app, proxy", "name one")},
		"no such container":              {fromValues, "web", 1, []runtime.Object{pod("a", right)}, expect(hooks.Unknown, "expected web, found app")},
		"a value that is not there":      {"${values.image.digest}", "", 1, []runtime.Object{pod("a", right)}, expect(hooks.Unknown, "image")},
		"a value that is no image":       {"${values.image.tag + ' '}x", "", 1, []runtime.Object{pod("a", right)}, expect(hooks.Unknown, "read image reference")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked(t, made(t, gate.Check{Images: &gate.ImagesCheck{Selector: "app=mm", Image: c.image, Container: c.container, Min: c.min}}), target(c.pods...), c.want)
		})
	}
}

func TestImagesWithAnEmptySelector(t *testing.T) {
	t.Parallel()
	c := made(t, gate.Check{Images: &gate.ImagesCheck{Selector: "${''}", Image: mm + ":11.6.1"}})
	asked(t, c, target(pod("a", right)), expect(hooks.Unknown, "selector"))
}
