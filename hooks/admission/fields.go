package admission

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// step leads from a value to one below it: a map's field, a list's item by one
// of its fields, or by its place.
type step struct {
	field      string
	key, value string
	index      int // when byIndex
	byIndex    bool
}

// stepsOf reads the segments of a key path.
func stepsOf(segments []string) []step {
	steps := make([]step, 0, len(segments))
	for _, s := range segments {
		inner := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
		switch {
		case s[0] != '[':
			steps = append(steps, step{field: s})
		case strings.HasPrefix(inner, `"`):
			name, err := strconv.Unquote(inner)
			if err != nil {
				name = inner // keypath has quoted it itself
			}
			steps = append(steps, step{field: name})
		default:
			if key, value, ok := strings.Cut(inner, "="); ok {
				steps = append(steps, step{key: key, value: value})
				continue
			}
			i, err := strconv.Atoi(inner)
			if err != nil {
				i = -1 // no item has it
			}
			steps = append(steps, step{index: i, byIndex: true})
		}
	}
	return steps
}

// content is what a field holds. What is no text, number or boolean is odd: it
// can be compared with another content, and no Run covers it.
type content struct {
	text string
	odd  bool
}

// read is what the object has at the field.
func (f Field) read(object map[string]any) content {
	var at any = object
	for _, s := range f.steps {
		next, odd := s.take(at)
		if odd != "" {
			return content{odd, true}
		}
		if next == nil {
			return content{text: f.Unset}
		}
		at = next
	}
	switch v := at.(type) {
	case string:
		if v == "" {
			v = f.Unset
		}
		return content{text: v}
	case bool:
		return content{text: strconv.FormatBool(v)}
	case int64:
		return content{text: strconv.FormatInt(v, 10)}
	case float64:
		return content{text: strconv.FormatFloat(v, 'f', -1, 64)}
	default:
		text, err := json.Marshal(v)
		if err != nil {
			text = []byte("something unreadable")
		}
		return content{string(text), true}
	}
}

// take goes one step down. odd says why there is no single answer.
func (s step) take(at any) (next any, odd string) {
	switch at := at.(type) {
	case map[string]any:
		if s.field != "" || s.key == "" && !s.byIndex {
			return at[s.field], ""
		}
	case []any:
		if s.byIndex {
			if s.index < 0 || s.index >= len(at) {
				return nil, ""
			}
			return at[s.index], ""
		}
		if s.key != "" {
			return s.item(at)
		}
	}
	return nil, fmt.Sprintf("a %s where the guard's path expects another kind of value", kindOf(at))
}

// item is the item of a list whose field has the value.
func (s step) item(list []any) (found any, odd string) {
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok || fmt.Sprint(m[s.key]) != s.value {
			continue
		}
		if found != nil {
			return nil, fmt.Sprintf("several items with %s=%s", s.key, s.value)
		}
		found = m
	}
	return found, ""
}

func kindOf(v any) string {
	switch v.(type) {
	case map[string]any:
		return "map"
	case []any:
		return "list"
	default:
		return "scalar"
	}
}

// sameWanted reports whether two objects ask for the same: all but metadata
// and status is equal.
func sameWanted(a, b map[string]any) bool {
	for _, pair := range [][2]map[string]any{{a, b}, {b, a}} {
		for k, v := range pair[0] {
			if k != "metadata" && k != "status" && !reflect.DeepEqual(v, pair[1][k]) {
				return false
			}
		}
	}
	return true
}
