package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/gitops/forge/webhook"
)

// The route is there when it is configured, with the file's secret, and not
// otherwise.
func TestWebhooksAreTaken(t *testing.T) {
	for _, configured := range []bool{true, false} {
		plain := "forge: {plain: {dir: pulls}}"
		forge := plain
		if configured {
			forge = "forge: {github: {tokenFile: token}}\nwebhooks: {github: {secretFile: secret}}"
		}
		file := write(t, plain, forge)
		secret := strings.Repeat("s", 32)
		for name, content := range map[string]string{"secret": secret + "\n", "token": "hunter2"} {
			if err := os.WriteFile(filepath.Join(filepath.Dir(file), name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		log := &lines{address: make(chan string, 1), pages: make(chan string, 1)}
		code := make(chan int, 1)
		go func() { code <- run(ctx, []string{"--config", file}, &bytes.Buffer{}, log) }()
		var address string
		select {
		case address = <-log.address:
		case c := <-code:
			t.Fatalf("exit %d: %s", c, log.String())
		}
		signed, unsigned := http.StatusAccepted, http.StatusUnauthorized
		if !configured {
			signed, unsigned = http.StatusNotFound, http.StatusNotFound
		}
		for with, want := range map[string]int{secret: signed, "": unsigned} {
			if got, text := deliver(t, address, with); got != want {
				t.Errorf("configured %t, secret %q: %d %s, want %d", configured, with, got, text, want)
			}
		}
		cancel()
		if c := <-code; c != exitOK {
			t.Errorf("exit %d: %s", c, log.String())
		}
		if strings.Contains(log.String(), secret) || strings.Contains(log.String(), "hunter2") {
			t.Error("a secret is in the log")
		}
	}
}

func deliver(t *testing.T, address, secret string) (int, string) {
	t.Helper()
	body := `{"zen": "Speak like a human."}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/webhooks/github", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(webhook.HeaderEvent, "ping")
	req.Header.Set(webhook.HeaderDelivery, "d-1")
	if secret != "" {
		req.Header.Set(webhook.HeaderSignature, webhook.Sign([]byte(secret), []byte(body)))
	}
	res, err := http.DefaultClient.Do(req)
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
