package checks_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/clusters"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/test/harness"
)

// registry knows the control plane as eu, by its kubeconfig.
func (c cluster) registry(t *testing.T) *clusters.Cluster {
	t.Helper()
	r, err := clusters.New(t.Context(), []clusters.Options{{
		Name: "eu", Kubeconfig: &clusters.KubeconfigOptions{Path: c.Kubeconfig}, HookSubjects: []string{c.ns + "/syncgate-hook"},
	}}, slog.New(slog.DiscardHandler))
	noError(t, err)
	eu, err := r.Get("eu")
	noError(t, err)
	return eu
}

func TestAuthenticate(t *testing.T) {
	c := start(t)
	eu := c.registry(t)
	noError(t, c.ServiceAccount(t.Context(), c.ns, "syncgate-hook"))
	hook, err := c.Kube.CoreV1().ServiceAccounts(c.ns).Get(t.Context(), "syncgate-hook", metav1.GetOptions{})
	noError(t, err)
	pod := c.pod(t, "presync-1", func(p *corev1.Pod) { p.Spec.ServiceAccountName = "syncgate-hook" })
	right := c.bound(t, pod, "syncgate")
	got, err := eu.Authenticate(t.Context(), right)
	noError(t, err)
	want := clusters.Subject{
		Username:  "system:serviceaccount:" + c.ns + ":syncgate-hook",
		Namespace: c.ns, ServiceAccount: "syncgate-hook", UID: string(hook.UID), Pod: "presync-1", PodUID: string(pod.UID),
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(clusters.Subject{}, "User")); diff != "" {
		t.Error(diff)
	}
	if !eu.Allows(got) {
		t.Errorf("expected that %v may post", got)
	}
	other, err := c.Token(t.Context(), c.ns, "default", "syncgate", 0)
	noError(t, err)
	if got, err = eu.Authenticate(t.Context(), other); err != nil || eu.Allows(got) {
		t.Errorf("expected a subject that may not post, found %v, %v", got, err)
	}

	for name, token := range map[string]string{
		"for another audience":      c.bound(t, pod, "vault"),
		"for the API server itself": c.bound(t, pod, ""),
		"the administrator's":       c.Config.BearerToken,
		"garbage":                   "garbage",
		"cut off":                   right[:len(right)-10],
		"with another signature":    right[:strings.LastIndex(right, ".")+1] + strings.Repeat("A", 86),
		"expired":                   c.signed(t, right, func(claims jwt.MapClaims) { claims["exp"] = time.Now().Add(-time.Minute).Unix() }),
		"of another issuer":         c.signed(t, right, func(claims jwt.MapClaims) { claims["iss"] = "https://elsewhere" }),
		"with none signed":          unsigned(t, right),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := eu.Authenticate(t.Context(), token)
			if !errors.Is(err, clusters.ErrUnauthenticated) || strings.Contains(err.Error(), token) || got.Username != "" {
				t.Fatalf("expected ErrUnauthenticated without the token, found %v, %v", got, err)
			}
		})
	}
	// The same signing, with nothing changed, is accepted: the refusals above
	// are for what they say.
	if _, err := eu.Authenticate(t.Context(), c.signed(t, right, func(jwt.MapClaims) {})); err != nil {
		t.Errorf("expected that a token signed here is accepted, found %v", err)
	}
	// A token goes with the pod it was made for. The API server hears of the
	// deletion in its own time, and remembers for ten seconds what it has
	// answered for one token: so it is asked with another one each time.
	now := int64(0)
	noError(t, c.Kube.CoreV1().Pods(c.ns).Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	noError(t, harness.Eventually(ctx, func(ctx context.Context) error {
		another := c.signed(t, right, func(claims jwt.MapClaims) { claims["jti"] = rand.Text() })
		got, err := eu.Authenticate(ctx, another)
		switch {
		case errors.Is(err, clusters.ErrUnauthenticated):
			return nil
		case err != nil:
			return err
		}
		return fmt.Errorf("expected ErrUnauthenticated once the pod is gone, found %v", got)
	}))
}

// bound is a token as the kubelet projects it: bound to a pod.
func (c cluster) bound(t *testing.T, pod *corev1.Pod, audience string) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
	}}
	if audience != "" {
		request.Spec.Audiences = []string{audience}
	}
	token, err := c.Kube.CoreV1().ServiceAccounts(c.ns).CreateToken(t.Context(), pod.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	noError(t, err)
	return token.Status.Token
}

// signed is a token with some claims changed, signed with the API server's own
// key: it would be right but for them.
func (c cluster) signed(t *testing.T, token string, change func(jwt.MapClaims)) string {
	t.Helper()
	claims := jwt.MapClaims{}
	old, _, err := jwt.NewParser().ParseUnverified(token, claims)
	noError(t, err)
	change(claims)
	pem, err := os.ReadFile(filepath.Join(c.Dir(), "pki", "serviceaccounts.key"))
	noError(t, err)
	key, err := jwt.ParseECPrivateKeyFromPEM(pem)
	noError(t, err)
	anew := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	anew.Header["kid"] = old.Header["kid"]
	text, err := anew.SignedString(key)
	noError(t, err)
	return text
}

func unsigned(t *testing.T, token string) string {
	t.Helper()
	claims := jwt.MapClaims{}
	_, _, err := jwt.NewParser().ParseUnverified(token, claims)
	noError(t, err)
	text, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims).SignedString(jwt.UnsafeAllowNoneSignatureType)
	noError(t, err)
	return text
}

// That the cluster cannot be asked is no answer about the token.
func TestAuthenticateWithoutAnAnswer(t *testing.T) {
	c := start(t)
	noError(t, c.ServiceAccount(t.Context(), c.ns, "powerless"))
	own, err := c.Token(t.Context(), c.ns, "powerless", "", 0)
	noError(t, err)
	token, err := c.Token(t.Context(), c.ns, "powerless", "syncgate", 0)
	noError(t, err)
	away := rest.CopyConfig(c.Config)
	away.Host = "https://127.0.0.1:1"
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx    context.Context
		config *rest.Config
		want   string
	}{
		"forbidden":   {t.Context(), as(c.Config, own), "needs create on tokenreviews"},
		"unreachable": {t.Context(), away, "connection refused"},
		"canceled":    {canceled, c.Config, "context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			kube, err := kubernetes.NewForConfig(test.config)
			noError(t, err)
			asker := clusters.Cluster{Name: "eu", Kube: kube}
			_, err = asker.Authenticate(test.ctx, token)
			if err == nil || errors.Is(err, clusters.ErrUnauthenticated) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), token) {
				t.Fatalf("expected an error with %q that is not ErrUnauthenticated, found %v", test.want, err)
			}
		})
	}
}

// Argo CD's cluster Secrets, written as Argo CD writes them, lead to the real
// API server.
func TestArgoCDClusterSecrets(t *testing.T) {
	c := start(t)
	token, err := c.Token(t.Context(), "checks-system", "reader", "", 0)
	noError(t, err)
	secret := func(name, cluster, config string) {
		t.Helper()
		_, err := c.Kube.CoreV1().Secrets(c.ns).Create(t.Context(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"argocd.argoproj.io/secret-type": "cluster"}},
			StringData: map[string]string{"name": cluster, "server": c.Config.Host, "config": config},
		}, metav1.CreateOptions{})
		noError(t, err)
	}
	config, err := json.Marshal(map[string]any{
		"bearerToken": token, "tlsClientConfig": map[string]any{"caData": c.ca(t)},
	})
	noError(t, err)
	secret("cluster-us", "us", string(config))
	secret("cluster-broken", "broken", `{"bearerToken":`)
	secret("cluster-untrusting", "untrusting", `{"bearerToken":"`+token+`","tlsClientConfig":{}}`)

	home := clusters.Options{
		Name: "home", Kubeconfig: &clusters.KubeconfigOptions{Path: c.Kubeconfig},
		ArgoCD: &clusters.ArgoCDOptions{Namespace: c.ns}, HookSubjects: []string{c.ns + "/default"},
	}
	r, err := clusters.New(t.Context(), []clusters.Options{home}, slog.New(slog.DiscardHandler))
	noError(t, err)
	if diff := cmp.Diff([]string{"home", "untrusting", "us"}, r.Names()); diff != "" {
		t.Error(diff)
	}
	us, err := r.Get("us")
	noError(t, err)
	in := c.target(t)
	in.Kube, in.Dynamic = us.Kube, us.Dynamic
	c.pod(t, "one")
	ask(t, made(t, gate.Check{Pods: &gate.PodsCheck{}}), in, hooks.Pass, "all 1")
	hook, err := c.Token(t.Context(), c.ns, "default", "syncgate", 0)
	noError(t, err)
	if subject, err := us.Authenticate(t.Context(), hook); err != nil || !us.Allows(subject) {
		t.Errorf("expected that the hook may post, found %v, %v", subject, err)
	}
	if _, err := r.Get("broken"); err == nil || !strings.Contains(err.Error(), c.ns+"/cluster-broken") {
		t.Errorf("expected an error that names the Secret, found %v", err)
	}
	// A certificate that is not trusted is no answer.
	untrusting, err := r.Get("untrusting")
	noError(t, err)
	in.Kube, in.Dynamic = untrusting.Kube, untrusting.Dynamic
	ask(t, made(t, gate.Check{Pods: &gate.PodsCheck{}}), in, hooks.Unknown, "certificate")

	// A Secret that is repaired counts after a refresh.
	noError(t, c.Kube.CoreV1().Secrets(c.ns).Delete(t.Context(), "cluster-broken", metav1.DeleteOptions{}))
	secret("cluster-repaired", "broken", string(config))
	noError(t, r.Refresh(t.Context()))
	if _, err := r.Get("broken"); err != nil {
		t.Error(err)
	}
}

// ca is the API server's authority, in PEM.
func (c cluster) ca(t *testing.T) []byte {
	t.Helper()
	if len(c.Config.CAData) > 0 {
		return c.Config.CAData
	}
	data, err := os.ReadFile(c.Config.CAFile)
	noError(t, err)
	return data
}
