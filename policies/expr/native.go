package expr

import (
	"fmt"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// native is a CEL value in Go's own types.
func native(v ref.Val) (any, error) {
	switch t := v.(type) {
	case *types.Err:
		return nil, t
	case types.Null:
		return nil, nil //nolint:nilnil // null is a value
	case *types.Optional:
		if !t.HasValue() {
			return nil, nil //nolint:nilnil // none is null to Go
		}
		return native(t.GetValue())
	case traits.Mapper:
		return nativeMap(t)
	case traits.Lister:
		return nativeList(t)
	case types.Bool, types.Int, types.Uint, types.Double, types.String, types.Bytes, types.Timestamp, types.Duration:
		return v.Value(), nil
	default:
		return nil, fmt.Errorf("expected a value, found CEL's %s", v.Type())
	}
}

func nativeMap(m traits.Mapper) (any, error) {
	out := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		name, ok := k.Value().(string)
		if !ok {
			return nil, fmt.Errorf("expected string keys in a map, found one of type %s", k.Type())
		}
		v, err := native(m.Get(k))
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

func nativeList(l traits.Lister) (any, error) {
	out := []any{}
	for it := l.Iterator(); it.HasNext() == types.True; {
		v, err := native(it.Next())
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
