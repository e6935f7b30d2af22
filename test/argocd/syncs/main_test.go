package syncs

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"
)

// atOnce is how many scenarios run beside each other. They wait for Argo CD most
// of the time, so a count by processors, which is Go's, would make a test of an
// hour of this one on two.
const atOnce = 8

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == fmt.Sprint(runtime.GOMAXPROCS(0)) {
		if err := f.Value.Set(fmt.Sprint(atOnce)); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
