package e2e

import (
	"os"
	"testing"

	"github.com/syncgate/syncgate/test/product"
)

func TestMain(m *testing.M) { os.Exit(product.Main(m)) }
