package validate

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"testing"
)

// TestBuildID reads the linker's build ID of this program, where programs are ELF, and
// none of what is no program.
func TestBuildID(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	id, err := programID(self)
	if err != nil || len(id) < 40 {
		t.Errorf("program ID %q, %v", id, err)
	}
	if runtime.GOOS == "linux" && strings.Count(id, "/") != 3 {
		t.Errorf("program ID %q is not the linker's build ID", id)
	}
	for _, text := range []string{"", "\x7fELF", "#!/bin/sh\n"} {
		if id := buildID(bytes.NewReader([]byte(text))); id != "" {
			t.Errorf("%q has build ID %q", text, id)
		}
	}
}
