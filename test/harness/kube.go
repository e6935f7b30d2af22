package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
)

// fieldManager is who owns what Apply applies.
const fieldManager = "syncgate-harness"

// Namespace makes sure that a namespace is there, and in it the "default"
// ServiceAccount that a controller would make; without it no pod is admitted.
func (cp *ControlPlane) Namespace(ctx context.Context, name string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := cp.Kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	return cp.ServiceAccount(ctx, name, "default")
}

// ServiceAccount makes sure that a ServiceAccount is there.
func (cp *ControlPlane) ServiceAccount(ctx context.Context, namespace, name string) error {
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := cp.Kube.CoreV1().ServiceAccounts(namespace).Create(ctx, sa, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create ServiceAccount %s/%s: %w", namespace, name, err)
	}
	return nil
}

// Token is a token of a ServiceAccount for an audience ("" is the API
// server's own), good for at least ten minutes: the API server's least.
func (cp *ControlPlane) Token(ctx context.Context, namespace, account, audience string, ttl time.Duration) (string, error) {
	secs := int64(max(ttl, 10*time.Minute).Seconds())
	req := &authv1.TokenRequest{Spec: authv1.TokenRequestSpec{ExpirationSeconds: &secs}}
	if audience != "" {
		req.Spec.Audiences = []string{audience}
	}
	res, err := cp.Kube.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, req, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("request token of %s/%s: %w", namespace, account, err)
	}
	return res.Status.Token, nil
}

// Objects decodes a stream of YAML or JSON documents; empty ones are left out.
func Objects(data []byte) ([]*unstructured.Unstructured, error) {
	dec := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	var out []*unstructured.Unstructured
	for {
		obj := &unstructured.Unstructured{}
		if err := dec.Decode(&obj.Object); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("decode document %d: %w", len(out)+1, err)
		}
		if len(obj.Object) > 0 {
			out = append(out, obj)
		}
	}
}

// ApplyOptions say how Apply applies.
type ApplyOptions struct {
	// Namespace is for objects that name none.
	Namespace string
	// DryRun has the API server check everything and keep nothing.
	DryRun bool
	// Manager is the field manager. Default: the harness.
	Manager string
}

// Apply applies objects by server-side apply, in their order. It waits until a
// CustomResourceDefinition is served before it goes on.
func (cp *ControlPlane) Apply(ctx context.Context, objs []*unstructured.Unstructured, opts ApplyOptions) error {
	manager := opts.Manager
	if manager == "" {
		manager = fieldManager
	}
	patch := metav1.ApplyOptions{FieldManager: manager, Force: true}
	if opts.DryRun {
		patch.DryRun = []string{metav1.DryRunAll}
	}
	for _, obj := range objs {
		client, err := cp.clientFor(obj, opts.Namespace)
		if err != nil {
			return err
		}
		if _, err := client.Apply(ctx, obj.GetName(), obj, patch); err != nil {
			return fmt.Errorf("apply %s %s: %w", obj.GetKind(), obj.GetName(), err)
		}
		if obj.GetKind() == "CustomResourceDefinition" && !opts.DryRun {
			if err := cp.awaitEstablished(ctx, client, obj.GetName()); err != nil {
				return err
			}
		}
	}
	return nil
}

// ApplyYAML is Apply over the documents of a stream.
func (cp *ControlPlane) ApplyYAML(ctx context.Context, data []byte, opts ApplyOptions) error {
	objs, err := Objects(data)
	if err != nil {
		return err
	}
	return cp.Apply(ctx, objs, opts)
}

// clientFor finds the resource of an object's kind. A kind that is not known
// is looked up anew once: it may have come since.
func (cp *ControlPlane) clientFor(obj *unstructured.Unstructured, namespace string) (dynamic.ResourceInterface, error) {
	gvk := obj.GroupVersionKind()
	mapping, err := cp.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		cp.Mapper.Reset()
		mapping, err = cp.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("find resource of %s %s: %w", gvk, obj.GetName(), err)
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return cp.Dynamic.Resource(mapping.Resource), nil
	}
	if ns := obj.GetNamespace(); ns != "" {
		namespace = ns
	}
	return cp.Dynamic.Resource(mapping.Resource).Namespace(namespace), nil
}

// awaitEstablished waits until a CustomResourceDefinition's kind is served and
// can be discovered, which comes some time after its condition Established.
func (cp *ControlPlane) awaitEstablished(ctx context.Context, client dynamic.ResourceInterface, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return Eventually(ctx, func(ctx context.Context) error {
		crd, err := client.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		conds, _, err := unstructured.NestedSlice(crd.Object, "status", "conditions")
		if err != nil {
			return err
		}
		for _, c := range conds {
			m, _ := c.(map[string]any)
			if m["type"] == "Established" && m["status"] == "True" {
				return cp.discovered(crd)
			}
		}
		return fmt.Errorf("CustomResourceDefinition %s: expected condition Established, found %v", name, conds)
	})
}

// discovered is nil once every served version of the kind is found, by both
// ways in which clients look: all groups at once, and one group version.
func (cp *ControlPlane) discovered(crd *unstructured.Unstructured) error {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	if err != nil {
		return err
	}
	cp.Mapper.Reset()
	for _, v := range versions {
		m, _ := v.(map[string]any)
		version, _ := m["name"].(string)
		if m["served"] != true {
			continue
		}
		if _, err := cp.Mapper.RESTMapping(schema.GroupKind{Group: group, Kind: kind}, version); err != nil {
			return err
		}
		if _, err := cp.Kube.Discovery().ServerResourcesForGroupVersion(group + "/" + version); err != nil {
			return err
		}
	}
	return nil
}

// Eventually asks until the answer is nil or the context ends; the error then
// is the last answer.
func Eventually(ctx context.Context, ask func(ctx context.Context) error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last answer: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}
