package admission

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/syncgate/syncgate/test/harness"
)

// clientCertificate writes an authority and a client certificate of it into
// dir: ca.crt, client.crt, client.key.
func clientCertificate(t *testing.T, dir, name string) {
	t.Helper()
	pair := func(cn string, more func(*x509.Certificate), parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: cn},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
		more(template)
		if parent == nil {
			parent, parentKey = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
		must(t, err)
		cert, err := x509.ParseCertificate(der)
		must(t, err)
		return cert, key
	}
	ca, caKey := pair("authority", func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	}, nil, nil)
	client, key := pair(name, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, ca, caKey)
	der, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	for file, block := range map[string]*pem.Block{
		"ca.crt": {Type: "CERTIFICATE", Bytes: ca.Raw}, "client.crt": {Type: "CERTIFICATE", Bytes: client.Raw}, "client.key": {Type: "EC PRIVATE KEY", Bytes: der},
	} {
		must(t, os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600))
	}
}

// An API server shows who it is as docs/operations.md says: by certificate and
// by bearer token, from its admission configuration; without either it gets no
// answer, and nothing through.
func TestAPIServerShowsWhoItIs(t *testing.T) {
	harness.Real(t)
	dir := t.TempDir()
	clientCertificate(t, dir, "eu-apiserver")
	must(t, os.WriteFile(filepath.Join(dir, "token"), []byte(pathToken), 0o600))
	kubeconfig := filepath.Join(dir, "kubeconfig")
	must(t, os.WriteFile(filepath.Join(dir, "admission.yaml"), fmt.Appendf(nil, `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
  - name: ValidatingAdmissionWebhook
    configuration:
      apiVersion: apiserver.config.k8s.io/v1
      kind: WebhookAdmissionConfiguration
      kubeConfigFile: %s
`, kubeconfig), 0o600))
	for name, tt := range map[string]struct{ user, access string }{
		"certificate": {fmt.Sprintf("client-certificate: %s/client.crt, client-key: %s/client.key", dir, dir),
			fmt.Sprintf("{name: eu, clientCAFile: %s/ca.crt, clientNames: [eu-apiserver]}", dir)},
		"token": {"token: " + pathToken, fmt.Sprintf("{name: eu, tokenFile: %s/token}", dir)},
	} {
		t.Run(name, func(t *testing.T) {
			// The API server reads its credentials when it starts; "*" is every
			// host, since the server's port is not known then.
			must(t, os.WriteFile(kubeconfig, fmt.Appendf(nil, "{apiVersion: v1, kind: Config, users: [{name: \"*\", user: {%s}}]}", tt.user), 0o600))
			cp, err := harness.StartControlPlane(t.Context(), harness.Options{Name: name, APIServerArgs: []string{"--admission-control-config-file=" + filepath.Join(dir, "admission.yaml")}})
			must(t, err)
			t.Cleanup(func() { must(t, cp.Stop()) })
			w := newWorld(t, cp, "chat", tt.access)
			w.open("true")
			revision := w.commit("11.7.3")
			w.webhook()
			w.label()
			if code := w.presync(revision); code != 0 {
				t.Fatalf("preSync: exit %d", code)
			}
			_, err = w.objects(w.namespace).Create(t.Context(), mattermost("mm", "11.7.3"), metav1.CreateOptions{})
			w.expect("create", err)
			w.patch(w.namespace, `{"spec":{"version":"11.7.4"}}`, `spec.version "11.7.3" → "11.7.4"`)
			w.expect("no credential", w.unknownAPIServer(), `failed calling webhook "guard.syncgate.dev"`, "asked for the client to provide credentials")
		})
	}
}

// unknownAPIServer has the API server ask under another cluster's name, for
// which its credential is no good.
func (w *world) unknownAPIServer() error {
	w.webhook("--set", "admission.cluster=us")
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		_, err = w.objects(w.namespace).Create(w.t.Context(), mattermost("new", "11.7.3"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return err
		}
	}
	return nil
}
