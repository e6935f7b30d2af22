package rules

import (
	"strings"
	"testing"
)

func TestSecrecyOfNames(t *testing.T) {
	tests := map[secrecy][]string{
		secret: {
			"password", "dbPassword", "POSTGRES_PASSWORD", "rootPasswd", "secret", "clientSecret", "secrets", "apiToken", "TOKEN",
			"key", "apiKey", "API_KEY", "accessKey", "private_key", "licenseKey", "dsn", "DB_CONNECTION_STRING", "MM_SQLSETTINGS_DATASOURCE",
			"MM_SQLSETTINGS_ATRESTENCRYPTKEY", "credentials", "Authorization", "smtp-pass", "passphrase", "MM_FILESETTINGS_AMAZONS3SECRETACCESSKEY",
		},
		plain: {
			"secretName", "existingSecret", "existingSecretName", "secretRef", "secretKeyRef", "imagePullSecrets", "passwordFile", "tokenTTL",
			"createSecret", "tokenExpirationSeconds", "automountServiceAccountToken", "topologyKey", "publicKey", "secretNamespace", "useTokenReview",
			"tokenAudiences", "maxTokens", "max_tokens",
		},
		unsaid: {"host", "replicas", "image", "tag", "keyspace", "monkey", "keyboard", "value", "", "tokyo"},
	}
	for want, names := range tests {
		for _, name := range names {
			if got := secrecyOf(name); got != want {
				t.Errorf("%q: %d, want %d", name, got, want)
			}
		}
	}
}

func TestCredentialsAreSeenByTheirForm(t *testing.T) {
	for text, want := range map[string]bool{
		"postgres://user:pw@host:5432/db":             true,
		"https://:token@git.example.com/x":            true,
		"user:pw@tcp(db:3306)/mm":                     true,
		"!env user:pw@tcp(db:3306)/mm":                true,
		"host=db user=mm password=pw sslmode=require": true,
		"-----BEGIN RSA PRIVATE KEY-----\nMII":        true,
		"ghp_0123456789abcdef":                        true,
		"AKIAIOSFODNN7EXAMPLE":                        true,
		"Endpoint=sb://x/;SharedAccessKey=abc":        true,
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig":    true,
		"https://tok123456@github.com/x":              true,
		`{"user": "mm", "password": "pw"}`:            true,
		"https://app.example.com/path?x=1":            false,
		"registry/app:11.6.1@sha256:0123456789abcdef": false,
		"mailto:someone@example.com":                  false,
		"-----BEGIN CERTIFICATE-----":                 false,
		"https://hub.example.com:8443/a@b":            false,
		"*/5 * * * *":                                 false,
		"ssh://git@github.com/org/repo":               false,
	} {
		if got := isCredential(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestRedact(t *testing.T) {
	r := redactor{secrets: []string{"hunter2hunter2", "hunter2", "pw", "1"}}
	for text, want := range map[string]string{
		"eu has hunter2hunter2":              "eu has <redacted>",
		"xhunter2y":                          "x<redacted>y",
		"pw and spwx, 1 of 11":               "<redacted> and spwx, <redacted> of 11",
		"a\nb\tc":                            "a b c",
		"see https://u:other@host/ for more": "see https<redacted>host/ for more",
	} {
		if got := r.redact(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := (redactor{tooMany: true}).redact("anything"); got != redacted {
		t.Errorf("with too many secrets: %q", got)
	}
	if got := r.redact(strings.Repeat("x", 10_000)); len(got) > maxText+len("…") {
		t.Errorf("%d bytes", len(got))
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("the password is hunter2, is it", "hunter2")
	f.Fuzz(func(t *testing.T, text, hidden string) {
		if len(hidden) < 4 || strings.Contains(redacted, hidden) {
			t.Skip()
		}
		r := redactor{secrets: []string{hidden}}
		got := r.redact(text)
		for _, part := range strings.Split(got, redacted) {
			if strings.Contains(part, hidden) {
				t.Fatalf("%q is in %q", hidden, got)
			}
		}
	})
}
