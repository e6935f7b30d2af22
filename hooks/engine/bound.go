package engine

import (
	"fmt"
	"unicode/utf8"

	"github.com/syncgate/syncgate/hooks"
)

// What is kept of one Result at most.
const (
	maxReason   = 2 << 10 // bytes
	maxObject   = 512     // bytes
	maxFact     = 4 << 10 // bytes
	maxEvidence = 50      // items
)

// bound cuts a Result to the limits and says where it did.
func bound(r *hooks.Result) {
	r.Reason = cut(r.Reason, maxReason)
	if n := len(r.Evidence); n > maxEvidence {
		r.Evidence = append(r.Evidence[:maxEvidence:maxEvidence], hooks.Evidence{
			Object: "evidence", Fact: fmt.Sprintf("%d more items, over the limit of %d", n-maxEvidence, maxEvidence),
		})
	}
	for i := range r.Evidence {
		r.Evidence[i].Object = cut(r.Evidence[i].Object, maxObject)
		r.Evidence[i].Fact = cut(r.Evidence[i].Fact, maxFact)
	}
}

func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	n := limit
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return fmt.Sprintf("%s… (%d bytes, over the limit of %d)", s[:n], len(s), limit)
}
