package kubelet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fill writes a volume's files into its folder.
func (p *pod) fill(ctx context.Context, seen *corev1.Pod, v corev1.Volume, folder string) error {
	switch {
	case v.EmptyDir != nil:
		return nil
	case v.ConfigMap != nil:
		data, err := p.configMap(ctx, seen.Namespace, v.ConfigMap.Name, v.ConfigMap.Optional)
		return errors.Join(err, writeKeys(folder, data, v.ConfigMap.Items))
	case v.Secret != nil:
		data, err := p.secret(ctx, seen.Namespace, v.Secret.SecretName, v.Secret.Optional)
		return errors.Join(err, writeKeys(folder, data, v.Secret.Items))
	case v.DownwardAPI != nil:
		return p.writeFields(seen, folder, v.DownwardAPI.Items)
	case v.Projected != nil:
		for _, source := range v.Projected.Sources {
			if err := p.project(ctx, seen, source, folder); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.New("expected emptyDir, configMap, secret, downwardAPI or projected")
}

// project writes the files of one source of a projected volume.
func (p *pod) project(ctx context.Context, seen *corev1.Pod, source corev1.VolumeProjection, folder string) error {
	switch {
	case source.ServiceAccountToken != nil:
		token, err := p.token(ctx, seen, source.ServiceAccountToken)
		if err != nil {
			return err
		}
		return writeFile(folder, source.ServiceAccountToken.Path, token)
	case source.ConfigMap != nil:
		data, err := p.configMap(ctx, seen.Namespace, source.ConfigMap.Name, source.ConfigMap.Optional)
		return errors.Join(err, writeKeys(folder, data, source.ConfigMap.Items))
	case source.Secret != nil:
		data, err := p.secret(ctx, seen.Namespace, source.Secret.Name, source.Secret.Optional)
		return errors.Join(err, writeKeys(folder, data, source.Secret.Items))
	case source.DownwardAPI != nil:
		return p.writeFields(seen, folder, source.DownwardAPI.Items)
	}
	return errors.New("expected serviceAccountToken, configMap, secret or downwardAPI")
}

// token is a token of the pod's ServiceAccount, bound to the pod, as a kubelet
// requests it.
func (p *pod) token(ctx context.Context, seen *corev1.Pod, want *corev1.ServiceAccountTokenProjection) (string, error) {
	request := &authv1.TokenRequest{Spec: authv1.TokenRequestSpec{
		ExpirationSeconds: want.ExpirationSeconds,
		BoundObjectRef:    &authv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: seen.Name, UID: seen.UID},
	}}
	if want.Audience != "" {
		request.Spec.Audiences = []string{want.Audience}
	}
	account := seen.Spec.ServiceAccountName
	answer, err := p.k.cp.Kube.CoreV1().ServiceAccounts(seen.Namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("request token of %s/%s: %w", seen.Namespace, account, err)
	}
	return answer.Status.Token, nil
}

func (p *pod) writeFields(seen *corev1.Pod, folder string, items []corev1.DownwardAPIVolumeFile) error {
	for _, item := range items {
		if item.FieldRef == nil {
			return fmt.Errorf("file %s: expected fieldRef", item.Path)
		}
		value, err := p.field(seen, item.FieldRef.FieldPath)
		if err != nil {
			return err
		}
		if err := writeFile(folder, item.Path, value); err != nil {
			return err
		}
	}
	return nil
}

// writeKeys writes a file for every key, or for those that are named.
func writeKeys(folder string, data map[string]string, items []corev1.KeyToPath) error {
	if items == nil {
		for key := range data {
			items = append(items, corev1.KeyToPath{Key: key, Path: key})
		}
	}
	for _, item := range items {
		value, ok := data[item.Key]
		if !ok {
			return fmt.Errorf("expected a key %s, found none", item.Key)
		}
		if err := writeFile(folder, item.Path, value); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(folder, path, text string) error {
	name := filepath.Join(folder, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(text), 0o600)
}

// mounts are the paths at which a container sees its volumes, longest first,
// and the folders that stand for them.
type mounts []struct{ path, folder string }

func newMounts(c corev1.Container, volumes map[string]string) mounts {
	var m mounts
	for _, mount := range c.VolumeMounts {
		m = append(m, struct{ path, folder string }{
			strings.TrimSuffix(mount.MountPath, "/"), filepath.Join(volumes[mount.Name], mount.SubPath),
		})
	}
	sort.Slice(m, func(i, j int) bool { return len(m[i].path) > len(m[j].path) })
	return m
}

// replace puts a volume's folder wherever a text names its mount path, or
// something below it.
func (m mounts) replace(text string) string {
	var out strings.Builder
	for at := 0; at < len(text); {
		path, folder := m.at(text, at)
		if path == "" {
			out.WriteByte(text[at])
			at++
			continue
		}
		out.WriteString(folder)
		at += len(path)
	}
	return out.String()
}

// at is the mount path that begins at a place of a text, and is not part of a
// longer name.
func (m mounts) at(text string, at int) (path, folder string) {
	if at > 0 && partOfName(text[at-1]) {
		return "", ""
	}
	for _, mount := range m {
		rest, ok := strings.CutPrefix(text[at:], mount.path)
		if ok && mount.path != "" && (rest == "" || rest[0] == '/' || !partOfName(rest[0])) {
			return mount.path, mount.folder
		}
	}
	return "", ""
}

// partOfName reports whether a byte may stand within a file's path.
func partOfName(b byte) bool {
	return b == '/' || b == '.' || b == '-' || b == '_' || b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z'
}
