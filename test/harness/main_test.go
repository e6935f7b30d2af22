package harness_test

import (
	"os"
	"testing"

	"github.com/syncgate/syncgate/test/harness"
)

func TestMain(m *testing.M) {
	os.Exit(harness.Main(m))
}
