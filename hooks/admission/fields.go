package admission

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
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
func (f Field) read(object gjson.Result) content {
	at := object
	for _, s := range f.steps {
		next, odd := s.take(at)
		if odd != "" {
			return content{odd, true}
		}
		if !next.Exists() || next.Type == gjson.Null {
			return content{text: f.Unset}
		}
		at = next
	}
	switch at.Type {
	case gjson.String:
		if at.Str == "" {
			return content{text: f.Unset}
		}
		return content{text: at.Str}
	case gjson.True, gjson.False:
		return content{text: at.Raw}
	case gjson.Number:
		if _, err := strconv.ParseInt(at.Raw, 10, 64); err == nil {
			return content{text: at.Raw}
		}
		return content{text: strconv.FormatFloat(at.Num, 'f', -1, 64)}
	default:
		return content{at.Raw, true}
	}
}

// take goes one step down. odd says why there is no single answer.
func (s step) take(at gjson.Result) (next gjson.Result, odd string) {
	switch {
	case at.IsObject() && s.key == "" && !s.byIndex:
		return only(at, s.field, func(key, _ gjson.Result) bool { return key.Str == s.field })
	case at.IsArray() && s.key != "":
		return only(at, s.key+"="+s.value, func(_, item gjson.Result) bool {
			has := false
			item.ForEach(func(key, value gjson.Result) bool {
				has = has || item.IsObject() && key.Str == s.key && value.String() == s.value
				return !has
			})
			return has
		})
	case at.IsArray() && s.byIndex:
		i := -1
		return only(at, "", func(_, _ gjson.Result) bool { i++; return i == s.index })
	}
	return next, fmt.Sprintf("a %s where the guard's path expects another kind of value", kindOf(at))
}

// only is the one member that fits. That there are several is odd: it is not
// known which of them counts.
func only(of gjson.Result, what string, fits func(key, value gjson.Result) bool) (found gjson.Result, odd string) {
	of.ForEach(func(key, value gjson.Result) bool {
		if fits(key, value) {
			if found.Exists() {
				odd = "several members " + what
			}
			found = value
		}
		return odd == ""
	})
	return found, odd
}

func kindOf(v gjson.Result) string {
	switch {
	case v.IsObject():
		return "map"
	case v.IsArray():
		return "list"
	default:
		return "scalar"
	}
}

// object looks into an object of a request.
func (r *Request) object(raw string) (gjson.Result, error) {
	if raw == "" {
		return gjson.Result{}, errors.New("expected an object, found nothing")
	}
	if !r.decoded {
		if err := wellFormed(raw); err != nil {
			return gjson.Result{}, err
		}
	}
	o := gjson.Parse(raw)
	if !o.IsObject() {
		return o, errors.New("expected an object, found something else")
	}
	return o, nil
}

// sameWanted reports whether two objects ask for the same: all but metadata
// and status is equal to the letter.
func sameWanted(a, b gjson.Result) bool {
	m := &members{}
	x, y := m.of("object", a), m.of("oldObject", b)
	if m.err != nil {
		return false
	}
	for _, pair := range [][2]map[string]gjson.Result{{x, y}, {y, x}} {
		for k, v := range pair[0] {
			if k != "metadata" && k != "status" && v.Raw != pair[1][k].Raw {
				return false
			}
		}
	}
	return true
}
