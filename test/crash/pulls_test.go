package crash

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
)

type pull struct {
	State string `json:"state"`
	Body  string `json:"body"`
	Head  struct {
		Ref string `json:"ref"`
	} `json:"head"`
}

// pulls asks GitHub for every pull request there ever was.
func (w *world) pulls() []pull {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.github.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/repos/acme/fleet/pulls?state=all", nil))
	var out []pull
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		w.t.Fatalf("list pull requests: %v: %s", err, rec.Body)
	}
	return out
}
