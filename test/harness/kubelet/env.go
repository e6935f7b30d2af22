package kubelet

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// variable is one of a container's environment.
type variable struct{ name, value string }

// variables are a container's environment, in order; a later one hides an
// earlier one of its name.
type variables struct {
	list  []variable
	named map[string]string
}

func (v *variables) set(name, value string) {
	v.list = append(v.list, variable{name, value})
	v.named[name] = value
}

// expand replaces $(NAME) by what is set; a name that is not, and $$(NAME),
// stay as text.
func (v *variables) expand(text string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		switch {
		case strings.HasPrefix(after, "$"):
			out.WriteByte('$')
			text = after[1:]
			continue
		case strings.HasPrefix(after, "("):
			name, rest, closed := strings.Cut(after[1:], ")")
			if value, ok := v.named[name]; closed && ok {
				out.WriteString(value)
				text = rest
				continue
			}
		}
		out.WriteByte('$')
		text = after
	}
}

// variables reads a container's environment.
func (p *pod) variables(ctx context.Context, seen *corev1.Pod, c corev1.Container) (*variables, error) {
	vars := &variables{named: map[string]string{}}
	for _, from := range c.EnvFrom {
		data, err := p.envFrom(ctx, seen, from)
		if err != nil {
			return nil, err
		}
		for key, value := range data {
			vars.set(from.Prefix+key, value)
		}
	}
	for _, e := range c.Env {
		value, ok := vars.expand(e.Value), true
		if e.ValueFrom != nil {
			var err error
			if value, ok, err = p.valueFrom(ctx, seen, *e.ValueFrom); err != nil {
				return nil, fmt.Errorf("variable %s: %w", e.Name, err)
			}
		}
		if ok {
			vars.set(e.Name, value)
		}
	}
	return vars, nil
}

func (p *pod) envFrom(ctx context.Context, seen *corev1.Pod, from corev1.EnvFromSource) (map[string]string, error) {
	switch {
	case from.ConfigMapRef != nil:
		return p.configMap(ctx, seen.Namespace, from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
	case from.SecretRef != nil:
		return p.secret(ctx, seen.Namespace, from.SecretRef.Name, from.SecretRef.Optional)
	}
	return nil, nil
}

// valueFrom is a variable's value, and whether it is there: what is optional
// may be missing.
func (p *pod) valueFrom(ctx context.Context, seen *corev1.Pod, from corev1.EnvVarSource) (value string, ok bool, err error) {
	var data map[string]string
	var key, owner string
	var optional *bool
	switch {
	case from.FieldRef != nil:
		value, err := p.field(seen, from.FieldRef.FieldPath)
		return value, err == nil, err
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		key, owner, optional = ref.Key, "Secret "+ref.Name, ref.Optional
		data, err = p.secret(ctx, seen.Namespace, ref.Name, optional)
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		key, owner, optional = ref.Key, "ConfigMap "+ref.Name, ref.Optional
		data, err = p.configMap(ctx, seen.Namespace, ref.Name, optional)
	default:
		return "", false, fmt.Errorf("expected fieldRef, secretKeyRef or configMapKeyRef, found %v", from)
	}
	if err != nil {
		return "", false, err
	}
	value, ok = data[key]
	if !ok && !isTrue(optional) {
		return "", false, fmt.Errorf("%s: expected a key %s, found none", owner, key)
	}
	return value, ok, nil
}

// field is a field of the pod, as the downward API gives it.
func (p *pod) field(seen *corev1.Pod, path string) (string, error) {
	switch path {
	case "metadata.name":
		return seen.Name, nil
	case "metadata.namespace":
		return seen.Namespace, nil
	case "metadata.uid":
		return string(seen.UID), nil
	case "spec.nodeName":
		return seen.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return seen.Spec.ServiceAccountName, nil
	case "status.podIP":
		return p.ip, nil
	case "status.hostIP":
		return "127.0.0.1", nil
	}
	for prefix, from := range map[string]map[string]string{"metadata.annotations['": seen.Annotations, "metadata.labels['": seen.Labels} {
		if key, ok := strings.CutPrefix(path, prefix); ok {
			return from[strings.TrimSuffix(key, "']")], nil
		}
	}
	return "", fmt.Errorf("field %q: not one that this kubelet knows", path)
}

func isTrue(b *bool) bool { return b != nil && *b }

// configMap is a ConfigMap's data; nothing when it is optional and not there.
func (p *pod) configMap(ctx context.Context, namespace, name string, optional *bool) (map[string]string, error) {
	got, err := p.k.cp.Kube.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && isTrue(optional) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data := map[string]string{}
	for key, value := range got.BinaryData {
		data[key] = string(value)
	}
	for key, value := range got.Data {
		data[key] = value
	}
	return data, nil
}

// secret is a Secret's data; nothing when it is optional and not there.
func (p *pod) secret(ctx context.Context, namespace, name string, optional *bool) (map[string]string, error) {
	got, err := p.k.cp.Kube.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && isTrue(optional) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data := map[string]string{}
	for key, value := range got.Data {
		data[key] = string(value)
	}
	return data, nil
}
