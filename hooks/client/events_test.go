package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/hooks"
)

func TestEventReader(t *testing.T) {
	note := func(seq int64, text string) hooks.Event { return hooks.Event{Seq: seq, Note: text} }
	long := `data: {"seq":1,"note":"` + strings.Repeat("x", maxEvent) + `"}` + "\n\n"
	parts := strings.Repeat("data: "+strings.Repeat(" ", 60<<10)+"\n", 20) + "\n"
	for _, tt := range []struct {
		name, in string
		want     []hooks.Event
		err      string // "" for io.EOF
	}{
		{"nothing", "", nil, ""},
		{"one", "id: 1\ndata: {\"seq\":1,\"note\":\"a\"}\n\n", []hooks.Event{note(1, "a")}, ""},
		{"heartbeats between", ": x\n\ndata:{\"seq\":1,\"note\":\"a\"}\n\n:\n\n\ndata: {\"seq\":2,\"note\":\"b\"}\n\n", []hooks.Event{note(1, "a"), note(2, "b")}, ""},
		{"CR LF and CR", "data: {\"seq\":1,\"note\":\"a\"}\r\n\r\ndata: {\"seq\":2,\"note\":\"b\"}\r\r", []hooks.Event{note(1, "a"), note(2, "b")}, ""},
		{"data on two lines", "data: {\"seq\":1,\ndata: \"note\":\"a\"}\n\n", []hooks.Event{note(1, "a")}, ""},
		{"cut off in the middle is not used", "data: {\"seq\":1,\"note\":\"a\"}\n\ndata: {\"seq\":2,\"verdict\":{\"verdict\":\"Passed\"}}\n", []hooks.Event{note(1, "a")}, ""},
		{"cut off within a line", "data: {\"seq\":1}", nil, ""},
		{"no JSON", "data: hello\n\n", nil, "decode event"},
		{"no number", "data: {\"note\":\"a\"}\n\n", nil, "expected a number from 1"},
		{"a line over the limit", long, nil, "limit of 1048576 bytes"},
		{"an event over the limit", parts, nil, "limit of 1048576 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newEventReader(strings.NewReader(tt.in))
			var got []hooks.Event
			var err error
			for err == nil {
				var e hooks.Event
				if e, err = r.next(); err == nil {
					got = append(got, e)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if tt.err == "" && !errors.Is(err, io.EOF) || tt.err != "" && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

// Whatever a server sends, the reader ends, keeps to its limits, and reads the
// same however the bytes are cut into pieces.
func FuzzEventReader(f *testing.F) {
	f.Add([]byte("id: 1\ndata: {\"seq\":1,\"note\":\"a\"}\n\n"))
	f.Add([]byte(": x\r\n\r\ndata:{\"seq\":2,\"verdict\":{\"verdict\":\"Passed\",\"reason\":\"\"}}\r\r"))
	f.Add([]byte("data\ndata: \n\ndata: {}\n\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		read := func(r io.Reader) (out []string) {
			er := newEventReader(r)
			for {
				e, err := er.next()
				if err != nil {
					return append(out, err.Error())
				}
				if e.Seq < 1 {
					t.Fatalf("event with number %d", e.Seq)
				}
				out = append(out, fmt.Sprintf("%+v", e))
			}
		}
		whole, pieces := read(bytes.NewReader(in)), read(oneByte{bytes.NewReader(in)})
		if len(whole) != len(pieces) {
			t.Fatalf("whole: %v\nin pieces: %v", whole, pieces)
		}
	})
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:1]) }
