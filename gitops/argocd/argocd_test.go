package argocd_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/syncgate/syncgate/gitops/argocd"
)

func secret(name string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "argocd", Name: name,
			Labels: map[string]string{"argocd.argoproj.io/secret-type": "cluster"},
		},
		Data: map[string][]byte{},
	}
	for k, v := range data {
		s.Data[k] = []byte(v)
	}
	return s
}

func TestClusters(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "") // wherever the tests run
	const token = "s3cr3t"
	good := `{"bearerToken":"` + token + `","tlsClientConfig":{"insecure":true}}`
	repository := secret("repository", map[string]string{"server": "https://x"})
	repository.Labels["argocd.argoproj.io/secret-type"] = "repository"
	elsewhere := secret("elsewhere", map[string]string{"name": "elsewhere", "server": "https://x"})
	elsewhere.Namespace = "other"
	objects := []runtime.Object{
		repository, elsewhere,
		secret("good", map[string]string{"name": "eu", "server": "https://eu.example.com/", "config": good}),
		secret("unnamed", map[string]string{"server": "https://us.example.com", "config": good}),
		secret("exec", map[string]string{"name": "exec", "server": "https://exec.example.com", "config": `{"execProviderConfig":{"command":"kubelogin","apiVersion":"client.authentication.k8s.io/v1beta1"},"tlsClientConfig":{}}`}),
		secret("json", map[string]string{"name": "json", "server": "https://x", "config": `{"bearerToken":"` + token}),
		secret("serverless", map[string]string{"name": "serverless", "config": good}),
		secret("ca", map[string]string{"name": "ca", "server": "https://x", "config": `{"bearerToken":"` + token + `","tlsClientConfig":{"caData":"bm90IFBFTQ=="}}`}),
		secret("both", map[string]string{"name": "both", "server": "https://x", "config": `{"tlsClientConfig":{"insecure":true,"caData":"bm90IFBFTQ=="}}`}),
		secret("proxy", map[string]string{"name": "proxy", "server": "https://x", "config": `{"proxyUrl":"://` + token + `","tlsClientConfig":{}}`}),
		secret("home", map[string]string{"name": "in-cluster", "server": "https://kubernetes.default.svc", "config": `{"tlsClientConfig":{}}`}),
		secret("empty", nil),
	}
	found, err := argocd.Clusters(t.Context(), fake.NewClientset(objects...), "argocd")
	if err != nil {
		t.Fatal(err)
	}
	type view struct{ Host, Token, Exec, Err string }
	got := map[string]view{}
	for _, c := range found {
		v := view{}
		if (c.Err == nil) == (c.Config == nil) {
			t.Errorf("%s: expected either a configuration or an error, found %v and %v", c.Secret, c.Config, c.Err)
		}
		if c.Err != nil {
			v.Err = c.Err.Error()
			if strings.Contains(v.Err, token) {
				t.Errorf("%s: the error holds the token: %v", c.Secret, c.Err)
			}
			if !strings.Contains(v.Err, c.Secret) {
				t.Errorf("%s: the error does not name the Secret: %v", c.Secret, c.Err)
			}
			v.Err = strings.SplitN(strings.TrimPrefix(v.Err, "read Argo CD cluster Secret "+c.Secret+": "), ":", 2)[0]
		} else {
			v.Host, v.Token = c.Config.Host, c.Config.BearerToken
			if c.Config.ExecProvider != nil {
				v.Exec = c.Config.ExecProvider.Command
			}
		}
		got[c.Name] = v
	}
	want := map[string]view{
		"eu":                     {Host: "https://eu.example.com", Token: token},
		"https://us.example.com": {Host: "https://us.example.com", Token: token},
		"exec":                   {Host: "https://exec.example.com", Exec: "kubelogin"},
		"json":                   {Err: `key "config"`},
		"serverless":             {Err: `key "server"`},
		"ca":                     {Err: `key "config"`},
		"both":                   {Err: `key "config"`},
		"proxy":                  {Err: `keys "server" and "config"`},
		"in-cluster":             {Err: `key "server" is https`},
		"":                       {Err: `key "server"`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestClustersCannotBeListed(t *testing.T) {
	t.Parallel()
	kube := fake.NewClientset()
	refused := errors.New("connection refused")
	kube.PrependReactor("list", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, refused })
	found, err := argocd.Clusters(context.Background(), kube, "argocd")
	if !errors.Is(err, refused) || found != nil {
		t.Fatalf("expected the error of the listing, found %v, %v", found, err)
	}
}

func TestClustersHaveALimit(t *testing.T) {
	t.Parallel()
	kube := fake.NewClientset()
	kube.PrependReactor("list", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &corev1.SecretList{ListMeta: metav1.ListMeta{Continue: "more"}}, nil
	})
	if _, err := argocd.Clusters(context.Background(), kube, "argocd"); err == nil || !strings.Contains(err.Error(), fmt.Sprint(argocd.MaxClusters)) {
		t.Fatalf("expected an error that names the limit, found %v", err)
	}
}
