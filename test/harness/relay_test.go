package harness_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/test/harness"
)

func TestRelay(t *testing.T) {
	started, hold := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintln(w, "hello")
		if r.URL.Path == "/long" {
			w.(http.Flusher).Flush()
			close(started)
			<-hold
		}
	}))
	defer server.Close()
	defer close(hold)
	relay, err := harness.StartRelay(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = relay.Stop() }()
	get := func(path string) error {
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + relay.Address + path)
		if err != nil {
			return err
		}
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		if err == nil && string(text) != "hello\n" {
			err = fmt.Errorf("expected hello, found %q", text)
		}
		return err
	}
	if err := get("/"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- get("/long") }()
	<-started
	relay.Cut()
	if err := <-ended; err == nil {
		t.Error("an open connection was not cut")
	}
	if err := get("/"); err == nil {
		t.Error("a connection went through the relay that is cut")
	}
	relay.Mend()
	if err := get("/"); err != nil {
		t.Error("after it was mended:", err)
	}
	if err := relay.Stop(); err != nil {
		t.Error(err)
	}
	if err := get("/"); err == nil {
		t.Error("a connection went through the relay that has stopped")
	}
}
