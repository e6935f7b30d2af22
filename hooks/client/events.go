package client

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/syncgate/syncgate/hooks"
)

// maxEvent is how long one event may be, in bytes.
const maxEvent = 1 << 20

var errEventSize = fmt.Errorf("an event is longer than the limit of %d bytes", maxEvent)

// eventReader reads Events from a stream of server-sent events as
// https://html.spec.whatwg.org/multipage/server-sent-events.html has them. Of
// the fields it needs data only: an Event carries its own number.
type eventReader struct{ lines *bufio.Scanner }

func newEventReader(r io.Reader) *eventReader {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4<<10), maxEvent)
	s.Split(splitLines)
	return &eventReader{lines: s}
}

// splitLines ends a line at CR LF, LF or CR.
func splitLines(data []byte, atEOF bool) (int, []byte, error) {
	i := bytes.IndexAny(data, "\r\n")
	switch {
	case i < 0 && atEOF:
		// What is not ended is not complete and must not be used.
		return len(data), nil, nil
	case i < 0:
		return 0, nil, nil
	case data[i] == '\n':
		return i + 1, data[:i], nil
	case i+1 < len(data) && data[i+1] == '\n':
		return i + 2, data[:i], nil
	case i+1 < len(data) || atEOF:
		return i + 1, data[:i], nil
	default:
		return 0, nil, nil // a LF may follow the CR
	}
}

// next is the next Event. io.EOF when the stream ended between two.
func (r *eventReader) next() (hooks.Event, error) {
	var data []byte
	seen := false
	for r.lines.Scan() {
		line := r.lines.Bytes()
		if len(line) == 0 {
			if !seen {
				continue
			}
			var e hooks.Event
			if err := json.Unmarshal(data, &e); err != nil {
				return e, fmt.Errorf("decode event: %w", err)
			}
			if e.Seq < 1 {
				return e, fmt.Errorf("decode event: expected a number from 1, found %d", e.Seq)
			}
			return e, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if string(name) != "data" { // "", a comment, is a heartbeat
			continue
		}
		if seen {
			data = append(data, '\n')
		}
		data = append(data, bytes.TrimPrefix(value, []byte(" "))...)
		seen = true
		if len(data) > maxEvent {
			return hooks.Event{}, errEventSize
		}
	}
	if err := r.lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = errEventSize
		}
		return hooks.Event{}, err
	}
	return hooks.Event{}, io.EOF
}
