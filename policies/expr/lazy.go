package expr

import (
	"reflect"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// lazyMap is a map whose values are made when they are asked for. Its keys are
// those of an ordinary map, which answers all that is about keys alone.
type lazyMap struct {
	traits.Mapper
	get func(key string) map[string]any
}

// Lazy is a variable's value: a map of maps, of which each is made by get when an
// expression looks at it. Of all of them together few are in memory at once.
func Lazy(keys []string, get func(key string) map[string]any) any {
	all := make(map[string]bool, len(keys))
	for _, k := range keys {
		all[k] = true
	}
	m, ok := types.DefaultTypeAdapter.NativeToValue(all).(traits.Mapper)
	if !ok { // it is a map
		m = types.NewRefValMap(types.DefaultTypeAdapter, map[ref.Val]ref.Val{})
	}
	return &lazyMap{m, get}
}

// Find implements traits.Mapper.
func (m *lazyMap) Find(key ref.Val) (ref.Val, bool) {
	v, ok := m.Mapper.Find(key)
	name, text := key.(types.String)
	if !ok || !text {
		return v, ok
	}
	return types.DefaultTypeAdapter.NativeToValue(m.get(string(name))), true
}

// Get implements traits.Indexer.
func (m *lazyMap) Get(key ref.Val) ref.Val {
	v := m.Mapper.Get(key)
	name, text := key.(types.String)
	if types.IsUnknownOrError(v) || !text {
		return v
	}
	return types.DefaultTypeAdapter.NativeToValue(m.get(string(name)))
}

// Equal implements ref.Val.
func (m *lazyMap) Equal(other ref.Val) ref.Val {
	if o, ok := other.(*lazyMap); ok && o == m {
		return types.True
	}
	return m.whole().Equal(other)
}

// ConvertToType implements ref.Val.
func (m *lazyMap) ConvertToType(t ref.Type) ref.Val { return m.whole().ConvertToType(t) }

// ConvertToNative implements ref.Val.
func (m *lazyMap) ConvertToNative(t reflect.Type) (any, error) { return m.whole().ConvertToNative(t) }

// Value implements ref.Val.
func (m *lazyMap) Value() any { return m.whole().Value() }

// whole is the map with all its values.
func (m *lazyMap) whole() ref.Val {
	all := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		if name, ok := it.Next().(types.String); ok {
			all[string(name)] = m.get(string(name))
		}
	}
	return types.DefaultTypeAdapter.NativeToValue(all)
}
