package backup_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/syncgate/syncgate/hooks/backup"
)

func TestParseSidecar(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("ab", 32), strings.Repeat("CD", 32)
	for name, c := range map[string]struct {
		text, key string
		want      string // hex; empty is an error
	}{
		"text mode":             {a + "  db.sql.gz\n", "x/db.sql.gz", a},
		"binary mode":           {a + " *db.sql.gz\n", "db.sql.gz", a},
		"with a folder":         {a + "  /var/backups/db.sql.gz\n", "x/db.sql.gz", a},
		"standard input":        {a + "  -\n", "db.sql.gz", a},
		"digits alone":          {a, "db.sql.gz", a},
		"upper case":            {b + "\r\n", "db.sql.gz", strings.ToLower(b)},
		"tagged":                {"SHA256 (db.sql.gz) = " + a + "\n", "db.sql.gz", a},
		"escaped":               {`\` + a + `  a\\b` + "\n", `a\b`, a},
		"among others":          {b + "  other\n\n" + a + "  db.sql.gz\n", "db.sql.gz", a},
		"twice the same":        {a + "  db.sql.gz\n" + a + "  db.sql.gz\n", "db.sql.gz", a},
		"two different":         {a + "  db.sql.gz\n" + b + "  db.sql.gz\n", "db.sql.gz", ""},
		"only others":           {a + "  other\n", "db.sql.gz", ""},
		"empty":                 {"\n \n", "db.sql.gz", ""},
		"MD5":                   {strings.Repeat("a", 32) + "  db.sql.gz\n", "db.sql.gz", ""},
		"SHA-512":               {strings.Repeat("a", 128) + "  db.sql.gz\n", "db.sql.gz", ""},
		"not hex":               {strings.Repeat("x", 64) + "  db.sql.gz\n", "db.sql.gz", ""},
		"one line is no sum":    {a + "  db.sql.gz\nhello\n", "db.sql.gz", ""},
		"over the limit":        {strings.Repeat(a+"  db.sql.gz\n", 1000), "db.sql.gz", ""},
		"a name that only ends": {a + "  old-db.sql.gz\n", "db.sql.gz", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sum, err := backup.ParseSidecar([]byte(c.text), c.key)
			if (err != nil) != (c.want == "") || (err == nil && hex.EncodeToString(sum[:]) != c.want) {
				t.Fatalf("expected %q, found %x, %v", c.want, sum, err)
			}
		})
	}
}

func FuzzParseSidecar(f *testing.F) {
	a := strings.Repeat("ab", 32)
	for _, s := range []string{a, a + "  k\n", "SHA256 (k) = " + a, `\` + a + " *a\\nb", "x"} {
		f.Add([]byte(s), "k")
	}
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		sum, err := backup.ParseSidecar(data, key)
		if err != nil {
			return
		}
		// What is found stands in the file, and one who writes it back for
		// this object finds it again.
		digits := hex.EncodeToString(sum[:])
		if !strings.Contains(strings.ToLower(string(data)), digits) {
			t.Fatalf("%x is not in %q", sum, data)
		}
		again, err := backup.ParseSidecar([]byte(digits+"  -\n"), key)
		if err != nil || again != sum || len(sum) != sha256.Size {
			t.Fatalf("found %x again as %x, %v", sum, again, err)
		}
	})
}
