package syncs

import (
	"strings"
	"testing"
)

func contains(t *testing.T, what, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s: expected %q in it, found\n%s", what, w, text)
		}
	}
}
