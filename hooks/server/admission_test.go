package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/admission"
	"github.com/syncgate/syncgate/hooks/engine/enginetest"
	"github.com/syncgate/syncgate/hooks/server"
)

const guardedSpec = `
  namespace: chat
  preSync: {deadline: 30m, interval: 1ms, checks: [{name: one, nodes: {}}]}
  guards:
    - {apiVersion: apps/v1, kind: Deployment, fields: [{path: spec.tag, value: "${values.image.tag}"}]}
`

// authority signs client certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{key, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func (a *authority) client(t *testing.T, name string, usage x509.ExtKeyUsage, ends time.Time) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: ends}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

var (
	euToken  = strings.Repeat("e", 32)
	oldToken = strings.Repeat("o", 40)
)

type gatekeeper struct {
	*world
	dir   string
	front *httptest.Server
}

// admit serves admission for eu, by certificate of ca or bearer token, and for
// us, by token in the path.
func admit(t *testing.T, ca *authority, limits server.Limits) *gatekeeper {
	t.Helper()
	g := &gatekeeper{world: &world{World: enginetest.NewWorld(t), reviews: &reviews{}, logs: &syncBuffer{}}, dir: t.TempDir()}
	g.Admission = true
	g.Git.Commit("a", "", enginetest.Tree(guardedSpec))
	g.Checks.Set("one", enginetest.Always(hooks.Pass, "fine"))
	g.engine, _ = g.Start(t)
	writeFile(t, filepath.Join(g.dir, "ca.pem"), string(ca.pem), time.Now())
	writeFile(t, filepath.Join(g.dir, "token"), oldToken+"\n"+euToken+"\n", time.Now())
	known := map[string]*server.APIServer{}
	for name, o := range map[string]server.APIServerOptions{
		"eu": {ClientCAFile: filepath.Join(g.dir, "ca.pem"), ClientNames: []string{"eu-apiserver"}, TokenFile: filepath.Join(g.dir, "token")},
		"us": {TokenFile: filepath.Join(g.dir, "token"), TokenInPath: true},
	} {
		a, err := server.NewAPIServer(o)
		if err != nil {
			t.Fatal(err)
		}
		known[name] = a
	}
	s := server.New(g.engine, g.reviews, limits, slog.New(slog.NewJSONHandler(g.logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
	s.EnableAdmission(server.Admission{Index: g.engine.Admission(), Clusters: known})
	g.front = httptest.NewUnstartedServer(nil)
	g.front.Config = s.HTTP()
	g.front.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	g.front.StartTLS()
	t.Cleanup(func() { s.Close(); g.front.Close() })
	return g
}

func (g *gatekeeper) ask(t *testing.T, path, body string, cert *tls.Certificate, header ...string) (int, string) {
	t.Helper()
	c := g.front.Client()
	transport := c.Transport.(*http.Transport).Clone()
	if cert != nil {
		transport.TLSClientConfig.Certificates = []tls.Certificate{*cert}
	}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.front.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func reviewOf(from, to string, more string) string {
	return fmt.Sprintf(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1","kind":{"group":"apps","version":"v1","kind":"Deployment"},
 "namespace":"chat","name":"web","operation":"UPDATE","userInfo":{"username":"jane"},"object":{"spec":{"tag":%q}},"oldObject":{"spec":{"tag":%q}}%s}}`, to, from, more)
}

func TestAdmissionAuthenticates(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	g := admit(t, ca, server.Limits{})
	later := time.Now().Add(time.Hour)
	same := reviewOf("1", "1", "")
	for _, tt := range []struct {
		name, path string
		cert       *tls.Certificate
		bearer     string
		want       int
	}{
		{"certificate", "/admission/eu", ca.client(t, "eu-apiserver", x509.ExtKeyUsageClientAuth, later), "", 200},
		{"bearer token", "/admission/eu", nil, euToken, 200},
		{"a token that is on its way out", "/admission/eu", nil, oldToken, 200},
		{"token in the path", "/admission/us/" + euToken, nil, "", 200},
		{"nothing", "/admission/eu", nil, "", 401},
		{"wrong token", "/admission/eu", nil, strings.Repeat("x", 32), 401},
		{"part of a token", "/admission/eu", nil, euToken[:31], 401},
		{"token in the path where it is not switched on", "/admission/eu/" + euToken, nil, "", 401},
		{"wrong token in the path", "/admission/us/" + strings.Repeat("x", 32), nil, "", 401},
		{"a hook Job's token", "/admission/eu", nil, "good-eu", 401},
		{"certificate of another name", "/admission/eu", ca.client(t, "jane", x509.ExtKeyUsageClientAuth, later), "", 401},
		{"certificate of a stranger", "/admission/eu", stranger.client(t, "eu-apiserver", x509.ExtKeyUsageClientAuth, later), "", 401},
		{"certificate of a server", "/admission/eu", ca.client(t, "eu-apiserver", x509.ExtKeyUsageServerAuth, later), "", 401},
		{"certificate that has ended", "/admission/eu", ca.client(t, "eu-apiserver", x509.ExtKeyUsageClientAuth, time.Now().Add(-time.Minute)), "", 401},
		{"certificate for a cluster that asks for a token", "/admission/us", ca.client(t, "eu-apiserver", x509.ExtKeyUsageClientAuth, later), "", 401},
		{"unknown cluster", "/admission/asia", nil, euToken, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var header []string
			if tt.bearer != "" {
				header = []string{"Authorization", "Bearer " + tt.bearer}
			}
			code, text := g.ask(t, tt.path, same, tt.cert, header...)
			if code != tt.want {
				t.Errorf("expected %d, found %d: %s", tt.want, code, text)
			}
			if code != 200 && strings.Contains(text, "certificate") {
				t.Errorf("a stranger is told %s", text)
			}
		})
	}
	if logs := g.logs.String(); strings.Contains(logs, euToken) || !strings.Contains(logs, "/admission/us/<redacted>") || !strings.Contains(logs, "found \\\"jane\\\"") {
		t.Errorf("expected a log without tokens and with the reasons, found %s", logs)
	}
}

func TestAdmissionAnswers(t *testing.T) {
	g := admit(t, newAuthority(t), server.Limits{})
	bearer := []string{"Authorization", "Bearer " + euToken}
	code, text := g.ask(t, "/admission/eu", reviewOf("0", "1", ""), nil, bearer...)
	var answer struct {
		APIVersion, Kind string
		Response         struct {
			UID     string
			Allowed bool
			Status  struct {
				Code            int
				Message, Reason string
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || code != 200 {
		t.Fatalf("%d %v: %s", code, err, text)
	}
	r := answer.Response
	if answer.Kind != "AdmissionReview" || answer.APIVersion != "admission.k8s.io/v1" || r.UID != "u-1" || r.Allowed || r.Status.Code != 403 || !strings.Contains(r.Status.Message, `spec.tag "0" → "1"`) {
		t.Errorf("found %s", text)
	}
	g.ask(t, "/admission/eu", reviewOf("0", "1", `,"dryRun":true`), nil, bearer...)
	deadline := time.Now().Add(time.Minute)
	for {
		lines, err := g.engine.AuditLog(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) > 0 {
			if len(lines) != 1 || lines[0].Action != "admission" || lines[0].Subject != "jane" || !strings.Contains(lines[0].Detail, "spec.tag") {
				t.Errorf("found %+v", lines)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the refusal is not in the audit log")
		}
		time.Sleep(5 * time.Millisecond)
	}

	run := enginetest.Wait(t, g.engine, submitted(t, g).ID)
	if run.Verdict != hooks.Passed {
		t.Fatalf("%+v", run)
	}
	if _, text = g.ask(t, "/admission/eu", reviewOf("0", "1", ""), nil, bearer...); !strings.Contains(text, `"allowed":true`) {
		t.Errorf("found %s", text)
	}
	// Another cluster's Run is no Run here.
	if _, text = g.ask(t, "/admission/us/"+euToken, reviewOf("0", "1", ""), nil); !strings.Contains(text, `"allowed":false`) {
		t.Errorf("found %s", text)
	}
}

func submitted(t *testing.T, g *gatekeeper) hooks.Run {
	t.Helper()
	r, _, err := g.engine.Submit(t.Context(), enginetest.Change(hooks.PreSync, "a", "1"), "ns/hook")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAdmissionBoundsWhatItReads(t *testing.T) {
	g := admit(t, newAuthority(t), server.Limits{Reviewing: 1})
	bearer := []string{"Authorization", "Bearer " + euToken}
	for name, tt := range map[string]struct {
		body   string
		header []string
		want   int
		text   string
	}{
		"too long":         {`{"kind":"` + strings.Repeat("x", admission.MaxReview) + `"}`, nil, 413, "limit of 3145728 bytes"},
		"no JSON":          {"x", nil, 400, "decode review"},
		"not a review":     {`{"kind":"Pod","apiVersion":"v1"}`, nil, 400, "expected an AdmissionReview"},
		"another encoding": {reviewOf("1", "1", ""), []string{"Content-Type", "application/yaml"}, 415, "application/json"},
		"good":             {reviewOf("1", "1", ""), nil, 200, `"allowed":true`},
	} {
		code, text := g.ask(t, "/admission/eu", tt.body, nil, append(tt.header, bearer...)...)
		if code != tt.want || !strings.Contains(text, tt.text) {
			t.Errorf("%s: expected %d and %q, found %d: %s", name, tt.want, tt.text, code, text)
		}
	}
	// Who is not known is not read.
	if code, _ := g.ask(t, "/admission/eu", strings.Repeat("x", admission.MaxReview), nil); code != 401 {
		t.Errorf("expected 401, found %d", code)
	}
}

func TestAdmissionIsNotThereUnlessItIsEnabled(t *testing.T) {
	w := start(t, server.Limits{})
	if res, _ := w.do(t, http.MethodPost, "/admission/eu", "", reviewOf("1", "1", "")); res.StatusCode != http.StatusNotFound {
		t.Errorf("expected 404, found %d", res.StatusCode)
	}
}

func TestAPIServerFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	for name, tt := range map[string]struct {
		text string
		opts server.APIServerOptions
		want string
	}{
		"nothing":        {"", server.APIServerOptions{}, "found neither"},
		"no file":        {"", server.APIServerOptions{TokenFile: file + "x"}, "no such file"},
		"empty":          {"\n", server.APIServerOptions{TokenFile: file}, "empty file"},
		"a short token":  {"hunter2\n", server.APIServerOptions{TokenFile: file}, "at least 32 bytes, found 7"},
		"no certificate": {"x", server.APIServerOptions{ClientCAFile: file}, "expected certificates"},
	} {
		writeFile(t, file, tt.text, time.Now())
		if _, err := server.NewAPIServer(tt.opts); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: expected an error with %q, found %v", name, tt.want, err)
		}
	}
}

func TestAdmissionTokensAreReadAgain(t *testing.T) {
	g := admit(t, newAuthority(t), server.Limits{})
	fresh := strings.Repeat("f", 32)
	file := filepath.Join(g.dir, "token")
	for i, tt := range []struct {
		text       string
		old, fresh int
	}{
		{oldToken + "\n" + fresh + "\n", 200, 200}, {fresh, 401, 200}, {"short", 401, 200}, // a broken file leaves what was
	} {
		writeFile(t, file, tt.text, time.Now().Add(time.Duration(i+1)*time.Hour))
		if code, _ := g.ask(t, "/admission/us/"+oldToken, reviewOf("1", "1", ""), nil); code != tt.old {
			t.Errorf("%d: expected %d, found %d", i, tt.old, code)
		}
		if code, _ := g.ask(t, "/admission/us/"+fresh, reviewOf("1", "1", ""), nil); code != tt.fresh {
			t.Errorf("%d: expected %d, found %d", i, tt.fresh, code)
		}
	}
}
