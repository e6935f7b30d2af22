package render

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/gob"
	"fmt"
	"hash"
	"io"
	"maps"
	"math"
	"slices"

	"helm.sh/helm/v3/pkg/chart"

	"github.com/syncgate/syncgate/internal/lru"
)

// What is kept between renders at most, in bytes.
const (
	chartsBytes   = 8 << 20 // what charts give that no value changes
	renderedBytes = 8 << 20 // what pure charts gave for their values
)

// rendered keeps what charts gave, by the sum of all that it follows from: the
// chart's files, the values, the release and what the cluster can do. Most
// clusters have the same from one revision to the next. A chart that asks clock
// or chance is rendered every time, and so is whatever failed.
type rendered struct {
	purity *purity
	charts *lru.Cache[*loaded]
	// known are the objects of templates, packed: those of two clusters are much
	// alike, and so are two of one.
	known *lru.Cache[[]byte]
}

// loaded is what follows from a chart's files alone.
type loaded struct {
	verdict verdict
	crds    []Object
}

func newRendered() *rendered {
	return &rendered{purity: newPurity(), charts: lru.New[*loaded](chartsBytes), known: lru.New[[]byte](renderedBytes)}
}

// inputKey is the sum of all that a render follows from.
func inputKey(chart lru.Key, in Input) lru.Key {
	sum := sha256.New()
	_, _ = sum.Write(chart[:])
	for _, s := range []string{in.Release.Name, in.Release.Namespace, in.Cluster.KubeVersion} {
		sumText(sum, s)
	}
	sumNumber(sum, uint64(len(in.Cluster.APIVersions)))
	for _, v := range in.Cluster.APIVersions {
		sumText(sum, v)
	}
	sumValue(sum, in.Values)
	return lru.Key(sum.Sum(nil))
}

// get is what was kept for a chart and an input.
func (r *rendered) get(chart lru.Key, in Input) (objects []Object, ok bool) {
	l, ok := r.charts.Get(chart)
	if !ok || !r.purity.holds(l.verdict, in.Values) {
		return nil, false
	}
	packed, ok := r.known.Get(inputKey(chart, in))
	if !ok {
		return nil, false
	}
	templates, err := unpack(packed)
	if err != nil {
		return nil, false // then it is rendered
	}
	return slices.Concat(l.crds, templates), true
}

func pack(objects []Object) ([]byte, error) {
	var out bytes.Buffer
	zip, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if err := gob.NewEncoder(zip).Encode(objects); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return bytes.Clone(out.Bytes()), nil
}

func unpack(packed []byte) (objects []Object, err error) {
	err = gob.NewDecoder(bufio.NewReader(flate.NewReader(bytes.NewReader(packed)))).Decode(&objects)
	return objects, err
}

// put keeps what a chart gave.
func (r *rendered) put(key lru.Key, v verdict, in Input, crds, templates []Object) {
	if !v.pure {
		return
	}
	if _, ok := r.charts.Get(key); !ok {
		kept, size := keep(crds)
		r.charts.Put(key, &loaded{verdict: v, crds: kept}, size)
	}
	if !r.purity.holds(v, in.Values) {
		return
	}
	templates = slices.Clone(templates)
	for i := range templates {
		templates[i].Sum = sha256.Sum256(templates[i].Data)
	}
	if packed, err := pack(templates); err == nil {
		r.known.Put(inputKey(key, in), packed, len(packed))
	}
}

// keep copies objects, so that they hold no file and no output of a template
// that they are only a part of, and says how many bytes they take.
func keep(objects []Object) (kept []Object, size int) {
	kept = slices.Clone(objects)
	for i, o := range kept {
		kept[i].Data = bytes.Clone(o.Data)
		kept[i].Sum = sha256.Sum256(o.Data)
		kept[i].Head = o.clone()
		kept[i].Items = slices.Clone(o.Items)
		size += len(o.Data) + len(o.Source) + kept[i].size()
		for j, item := range o.Items {
			kept[i].Items[j] = item.clone()
			size += item.size()
		}
	}
	return kept, size
}

// verdictOf judges a chart once for each content.
func (r *rendered) verdictOf(key lru.Key, ch *chart.Chart) verdict {
	if l, ok := r.charts.Get(key); ok {
		return l.verdict
	}
	return r.purity.judge(ch)
}

func sumText(h hash.Hash, s string) {
	sumNumber(h, uint64(len(s)))
	_, _ = io.WriteString(h, s)
}

func sumNumber(h hash.Hash, n uint64) { _, _ = h.Write(binary.BigEndian.AppendUint64(nil, n)) }

// value writes a value with its type: a template prints 1000000 of a file, a
// floating-point number, and of a parameter, a whole one, differently.
func sumValue(h hash.Hash, v any) {
	switch v := v.(type) {
	case map[string]any:
		sumText(h, "map")
		sumNumber(h, uint64(len(v)))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			sumText(h, key)
			sumValue(h, v[key])
		}
	case []any:
		sumText(h, "list")
		sumNumber(h, uint64(len(v)))
		for _, item := range v {
			sumValue(h, item)
		}
	case string:
		sumText(h, "string")
		sumText(h, v)
	case float64:
		sumText(h, "float64")
		sumNumber(h, math.Float64bits(v))
	default:
		sumText(h, fmt.Sprintf("%T %v", v, v))
	}
}
