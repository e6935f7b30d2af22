package clusters_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/syncgate/syncgate/hooks/clusters"
)

var subjects = []string{"mattermost/syncgate-hook"}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// kubeconfig writes a file with two contexts, one of which executes a program.
func kubeconfig(t *testing.T, server string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: eu
clusters:
- {name: eu, cluster: {server: %q}}
users:
- {name: token, user: {token: t}}
- {name: exec, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: get-token, interactiveMode: Never}}}
contexts:
- {name: eu, context: {cluster: eu, user: token}}
- {name: exec, context: {cluster: eu, user: exec}}
`, server)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	file := kubeconfig(t, "https://eu.example.com")
	k := &clusters.KubeconfigOptions{Path: file}
	for name, c := range map[string]struct {
		options []clusters.Options
		want    string
	}{
		"nothing":              {nil, "at least one"},
		"no name":              {[]clusters.Options{{Kubeconfig: k, HookSubjects: subjects}}, "name:"},
		"a bad name":           {[]clusters.Options{{Name: "EU", Kubeconfig: k, HookSubjects: subjects}}, "lower-case"},
		"no way to it":         {[]clusters.Options{{Name: "eu", HookSubjects: subjects}}, "found neither"},
		"two ways to it":       {[]clusters.Options{{Name: "eu", Kubeconfig: k, InCluster: true, HookSubjects: subjects}}, "found both"},
		"no subjects":          {[]clusters.Options{{Name: "eu", Kubeconfig: k}}, "hookSubjects"},
		"a bad subject":        {[]clusters.Options{{Name: "eu", Kubeconfig: k, HookSubjects: []string{"system:serviceaccount:a:b"}}}, "hookSubjects"},
		"a wildcard subject":   {[]clusters.Options{{Name: "eu", Kubeconfig: k, HookSubjects: []string{"*/*"}}}, "hookSubjects"},
		"a name twice":         {[]clusters.Options{{Name: "eu", Kubeconfig: k, HookSubjects: subjects}, {Name: "eu", Kubeconfig: k, HookSubjects: subjects}}, "claimed twice"},
		"no such file":         {[]clusters.Options{{Name: "eu", Kubeconfig: &clusters.KubeconfigOptions{Path: file + "x"}, HookSubjects: subjects}}, file + "x"},
		"no such context":      {[]clusters.Options{{Name: "eu", Kubeconfig: &clusters.KubeconfigOptions{Path: file, Context: "us"}, HookSubjects: subjects}}, `"us"`},
		"a program to execute": {[]clusters.Options{{Name: "eu", Kubeconfig: &clusters.KubeconfigOptions{Path: file, Context: "exec"}, HookSubjects: subjects}}, "allowExec"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := clusters.New(t.Context(), c.options, discard())
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("expected an error of one line with %q, found %v", c.want, err)
			}
		})
	}
}

func TestInClusterOutsideOne(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	_, err := clusters.New(t.Context(), []clusters.Options{{Name: "eu", InCluster: true, HookSubjects: subjects}}, discard())
	if err == nil || !strings.Contains(err.Error(), "in a pod") {
		t.Fatalf("expected an error that says where it works, found %v", err)
	}
}

func TestKubeconfig(t *testing.T) {
	t.Parallel()
	file := kubeconfig(t, "https://eu.example.com")
	r, err := clusters.New(t.Context(), []clusters.Options{
		{Name: "eu", Kubeconfig: &clusters.KubeconfigOptions{Path: file}, HookSubjects: subjects},
		{Name: "us", Kubeconfig: &clusters.KubeconfigOptions{Path: file, Context: "exec"}, AllowExec: true, HookSubjects: subjects},
	}, discard())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"eu", "us"}, r.Names()); diff != "" {
		t.Error(diff)
	}
	c, err := r.Get("eu")
	if err != nil {
		t.Fatal(err)
	}
	if c.Config.Host != "https://eu.example.com" || c.Config.UserAgent != "syncgate" || c.Config.Timeout == 0 || c.Config.QPS == 0 || c.Config.Burst == 0 {
		t.Errorf("expected a bounded client of eu.example.com, found %v", c.Config)
	}
	if _, err := r.Get("asia"); err == nil || !strings.Contains(err.Error(), "eu, us") {
		t.Errorf("expected an error with the names, found %v", err)
	}
}

// secrets is an API server that knows nothing but the list of Secrets.
func secrets(t *testing.T, list func() (*corev1.SecretList, int)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/namespaces/argocd/secrets" {
			http.NotFound(w, r)
			return
		}
		found, code := list()
		found.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "SecretList"}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(found)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func clusterSecret(name, cluster, config string) corev1.Secret {
	return corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: name},
		Data:       map[string][]byte{"name": []byte(cluster), "server": []byte("https://" + name + ".example.com"), "config": []byte(config)},
	}
}

func TestArgoCD(t *testing.T) {
	t.Parallel()
	const good = `{"bearerToken":"t","tlsClientConfig":{"insecure":true}}`
	const exec = `{"execProviderConfig":{"command":"get-token","apiVersion":"client.authentication.k8s.io/v1beta1"},"tlsClientConfig":{}}`
	list, code := &corev1.SecretList{Items: []corev1.Secret{
		clusterSecret("a", "eu", good), clusterSecret("b", "broken", "{"), clusterSecret("c", "exec", exec),
		clusterSecret("d", "twice", good), clusterSecret("e", "twice", good), clusterSecret("f", "Not A Name", good),
		clusterSecret("g", "home", good), clusterSecret("h", "", good),
	}}, http.StatusOK
	file := kubeconfig(t, secrets(t, func() (*corev1.SecretList, int) { return list, code }))
	entry := clusters.Options{Name: "home", Kubeconfig: &clusters.KubeconfigOptions{Path: file}, ArgoCD: &clusters.ArgoCDOptions{}, HookSubjects: subjects}
	r, err := clusters.New(t.Context(), []clusters.Options{entry}, discard())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"eu"}, r.Names()); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]string{
		"broken":                "argocd/b",
		"exec":                  "allowExec",
		"twice":                 "claimed twice",
		"Not A Name":            "argocd/f",
		"home":                  "claimed twice",
		"https://h.example.com": "argocd/h",
		"asia":                  "6 more cannot be used",
	} {
		if c, err := r.Get(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("get %s: expected an error with %q, found %v, %v", name, want, c, err)
		}
	}

	entry.AllowExec, entry.Name = true, ""
	if r, err = clusters.New(t.Context(), []clusters.Options{entry}, discard()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"eu", "exec", "home"}, r.Names()); diff != "" {
		t.Error(diff)
	}

	// A refresh that fails changes nothing; one that succeeds counts.
	list, code = &corev1.SecretList{}, http.StatusInternalServerError
	if err := r.Refresh(t.Context()); err == nil {
		t.Error("expected an error of the refresh")
	}
	if diff := cmp.Diff([]string{"eu", "exec", "home"}, r.Names()); diff != "" {
		t.Error(diff)
	}
	list, code = &corev1.SecretList{Items: []corev1.Secret{clusterSecret("n", "asia", good)}}, http.StatusOK
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"asia"}, r.Names()); diff != "" {
		t.Error(diff)
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	user := authenticationv1.UserInfo{
		Username: "system:serviceaccount:mattermost:syncgate-hook", UID: "u-1",
		Extra: map[string]authenticationv1.ExtraValue{
			"authentication.kubernetes.io/pod-name": {"presync-1"}, "authentication.kubernetes.io/pod-uid": {"p-1"},
		},
	}
	hook := clusters.Subject{Username: user.Username, Namespace: "mattermost", ServiceAccount: "syncgate-hook", UID: "u-1", Pod: "presync-1", PodUID: "p-1", User: user}
	ok := authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: []string{"syncgate"}, User: user}
	refused := apierrors.NewInternalError(errors.New("etcd is away"))
	for name, c := range map[string]struct {
		token           string
		status          authenticationv1.TokenReviewStatus
		err             error
		want            clusters.Subject
		unauthenticated bool
		other           error
	}{
		"right":                  {token: "t", status: ok, want: hook},
		"no token":               {status: ok, unauthenticated: true},
		"a huge token":           {token: strings.Repeat("t", 17<<10), status: ok, unauthenticated: true},
		"refused":                {token: "t", status: authenticationv1.TokenReviewStatus{Error: "token expired"}, unauthenticated: true},
		"refused with a user":    {token: "t", status: authenticationv1.TokenReviewStatus{User: user, Audiences: []string{"syncgate"}}, unauthenticated: true},
		"another audience":       {token: "t", status: authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: []string{"vault"}, User: user}, unauthenticated: true},
		"no audience":            {token: "t", status: authenticationv1.TokenReviewStatus{Authenticated: true, User: user}, unauthenticated: true},
		"the API server is away": {token: "t", err: refused, other: refused},
		"a person": {token: "t", status: authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: []string{"syncgate"}, User: authenticationv1.UserInfo{Username: "jane"}},
			want: clusters.Subject{Username: "jane", User: authenticationv1.UserInfo{Username: "jane"}}},
		"a name that is not one": {token: "t", status: authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: []string{"syncgate"}, User: authenticationv1.UserInfo{Username: "system:serviceaccount:a:b:c"}},
			want: clusters.Subject{Username: "system:serviceaccount:a:b:c", User: authenticationv1.UserInfo{Username: "system:serviceaccount:a:b:c"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kube := fake.NewClientset()
			kube.PrependReactor("create", "tokenreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
				review, _ := a.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview)
				if diff := cmp.Diff(authenticationv1.TokenReviewSpec{Token: c.token, Audiences: []string{"syncgate"}}, review.Spec); diff != "" {
					t.Error(diff)
				}
				return true, &authenticationv1.TokenReview{Status: c.status}, c.err
			})
			cluster := clusters.Cluster{Name: "eu", Kube: kube, HookSubjects: subjects}
			got, err := cluster.Authenticate(context.Background(), c.token)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if errors.Is(err, clusters.ErrUnauthenticated) != c.unauthenticated || (c.other != nil && !errors.Is(err, c.other)) || (err != nil) != (c.unauthenticated || c.other != nil) {
				t.Errorf("found error %v", err)
			}
			if want := c.want.ServiceAccount != ""; cluster.Allows(got) != want {
				t.Errorf("allows %v: expected %v", got, want)
			}
		})
	}
}

func TestAllows(t *testing.T) {
	t.Parallel()
	c := clusters.Cluster{HookSubjects: subjects}
	for _, tt := range []struct {
		subject clusters.Subject
		want    bool
	}{
		{clusters.Subject{Namespace: "mattermost", ServiceAccount: "syncgate-hook"}, true},
		{clusters.Subject{Namespace: "mattermost", ServiceAccount: "default"}, false},
		{clusters.Subject{Namespace: "other", ServiceAccount: "syncgate-hook"}, false},
		{clusters.Subject{Username: "mattermost/syncgate-hook"}, false},
		{clusters.Subject{}, false},
	} {
		if got := c.Allows(tt.subject); got != tt.want {
			t.Errorf("allows %+v: expected %v, found %v", tt.subject, tt.want, got)
		}
	}
}
