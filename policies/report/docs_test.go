package report_test

import (
	"os"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/policies/report"
)

// TestFormatsAreDescribed holds docs/reference/findings.md against the formats
// and verdicts.
func TestFormatsAreDescribed(t *testing.T) {
	raw, err := os.ReadFile("../../docs/reference/findings.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for _, name := range report.Formats() {
		if !strings.Contains(text, "\n### `"+name+"`\n") {
			t.Errorf("the format %s has no section", name)
		}
	}
	for _, v := range []report.Verdict{report.Holds, report.Finds, report.Unknown} {
		if !strings.Contains(text, "| `"+string(v)+"` |") {
			t.Errorf("the verdict %s is not described", v)
		}
	}
}
