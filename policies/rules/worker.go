package rules

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"math"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/values"
)

// row is one value of a cluster: which path, which value, where it stands. All
// five are numbers of tables.
type row struct{ path, value, file, line, column uint32 }

// The values that stand for what is not a scalar.
const (
	noValue   uint32 = iota
	mapValue         // a map with fields
	emptyMap         // a map without
	listValue        // a list with keyed items
	emptyList        // such a list without items
	setScalar        // a scalar that may differ anyway, and is not empty
	firstFree
)

// datum is a scalar, or a list by its length. The text of a number is wholeText
// or what is written.
type datum struct {
	kind values.Kind
	// hidden is true when text is a keyed hash and not the value.
	hidden bool
	// unknown is true when text says where a value is from that cannot be read.
	unknown bool
	num     uint64
	text    string
}

// edge leads from a path to one below it.
type edge struct {
	parent uint32
	// index is that of a list's item; field and item stand for the others.
	index int32
	text  string
}

const (
	field int32 = -1
	item  int32 = -2
)

// node is a path, as the last step to it.
type node struct {
	parent  uint32
	segment string
	// allowed is true when the path may differ, and kept when its value is
	// needed even so.
	allowed, kept bool
	secret        secrecy
	// keyed is true for a list whose items are told apart by the field key.
	keyed, asked bool
	key          string
	seen         uint32 // the last cluster, counted from 1, that has it
}

// Worker takes in clusters. One Worker belongs to one goroutine.
type Worker struct {
	fleet   *Fleet
	edges   map[edge]uint32
	nodes   []node
	data    map[datum]uint32
	datums  []datum
	files   map[string]uint32
	names   []string // of files
	last    string   // the file looked up last
	lastID  uint32
	rows    []clusterRows
	buffer  []row
	mac     hash.Hash
	cluster uint32 // counted from 1
	odd     []oddItem
	secrets map[string]bool // secret-like values, only when there are rules
	packer  *packer         // only when there are rules
	// harmless are texts known to be no credentials.
	harmless map[string]bool
}

// clusterRows are the rows of one cluster.
type clusterRows struct {
	cluster int
	rows    []row
}

// oddItem is an item of a keyed list that cannot be told apart.
type oddItem struct {
	cluster int
	list    uint32 // path of the list
	key     string
	problem string
	at      finding.Position
}

// Worker makes a Worker of the Fleet.
func (f *Fleet) Worker() *Worker {
	w := f.newWorker()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.workers = append(f.workers, w)
	return w
}

func (f *Fleet) newWorker() *Worker {
	w := &Worker{
		fleet: f, edges: make(map[edge]uint32, 1024), data: make(map[datum]uint32, 1024), files: map[string]uint32{},
		nodes: []node{{}}, datums: make([]datum, firstFree, 1024), mac: hmac.New(sha256.New, f.key[:]), names: []string{""},
		harmless: map[string]bool{},
	}
	w.files[""] = 0
	if len(f.opts.Rules) > 0 {
		w.secrets = map[string]bool{}
		w.packer = newPacker()
	}
	return w
}

// Add takes in the merged values of a cluster, given by its index.
func (w *Worker) Add(cluster int, root *values.Node) {
	if w.fleet.trees != nil {
		w.fleet.trees[cluster] = root
	}
	if w.packer != nil {
		w.fleet.packed[cluster] = w.packer.pack(root)
	}
	w.buffer = w.buffer[:0]
	w.cluster = uint32(cluster) + 1
	w.walk(root, 0, false)
	w.rows = append(w.rows, clusterRows{cluster, append(make([]row, 0, len(w.buffer)), w.buffer...)})
}

// walk writes the rows of n, which stands at path.
func (w *Worker) walk(n *values.Node, path uint32, hide bool) {
	r := row{path: path, file: w.file(n.File), line: n.Line, column: n.Column}
	at := len(w.buffer)
	w.buffer = append(w.buffer, r)
	switch n.Kind {
	case values.Map:
		w.fields(n, path, hide)
		w.buffer[at].value = mapValue
		if len(n.Fields) == 0 {
			w.buffer[at].value = emptyMap
		}
	case values.List:
		w.buffer[at].value = w.items(n, path, hide)
	default:
		w.buffer[at].value = w.scalar(n, path, hide)
	}
}

func (w *Worker) fields(n *values.Node, path uint32, hide bool) {
	named := secretValue(n)
	for _, f := range n.Fields {
		below := w.step(edge{path, field, f.Key})
		hidden := hide
		switch w.nodes[below].secret {
		case secret:
			hidden = f.Key != "key" || !plainKey(n)
		case plain:
			hidden = false
		case unsaid:
		}
		w.walk(f.Value, below, hidden || named && f.Key == "value")
	}
}

// items writes the rows of a list and returns the list's own value.
func (w *Worker) items(n *values.Node, path uint32, hide bool) uint32 {
	if !w.nodes[path].asked {
		w.askKey(path)
	}
	if w.nodes[path].keyed {
		w.keyedItems(n, path, hide)
		if len(n.Items) == 0 {
			return emptyList
		}
		return listValue
	}
	for i, v := range n.Items {
		w.walk(v, w.step(edge{path, int32(i), ""}), hide)
	}
	return w.intern(datum{kind: values.List, num: uint64(len(n.Items))})
}

// askKey finds out by which field the items of a list are told apart.
func (w *Worker) askKey(path uint32) {
	p := &w.nodes[path]
	p.asked = true
	segments := segmentsOf(w.nodes, path)
	for _, k := range w.fleet.opts.ListKeys {
		if k.Path.Match(segments) {
			p.keyed, p.key = true, k.Key
			return
		}
	}
}

func (w *Worker) keyedItems(n *values.Node, path uint32, hide bool) {
	key := w.nodes[path].key
	for _, v := range n.Items {
		name, ok := keyOf(v, key)
		if !ok {
			w.oddItem(path, key, v, "an item has no field "+key+" that is a text, a number or a boolean")
			continue
		}
		below := w.step(edge{path, item, name})
		if w.nodes[below].seen == w.cluster {
			w.oddItem(path, key, v, "two items have the same "+key)
			continue
		}
		w.nodes[below].seen = w.cluster
		w.walk(v, below, hide)
	}
}

func (w *Worker) oddItem(list uint32, key string, v *values.Node, problem string) {
	w.odd = append(w.odd, oddItem{int(w.cluster) - 1, list, key, problem, v.Position()})
}

// keyOf is the text of an item's key field.
func keyOf(v *values.Node, key string) (string, bool) {
	if v.Kind != values.Map {
		return "", false
	}
	k := v.Get(key)
	if k == nil {
		return "", false
	}
	switch k.Kind {
	case values.String:
		return k.Text, k.Text != ""
	case values.Number:
		return values.FormatNumber(k.Num), true
	case values.Bool:
		if k.Num != 0 {
			return "true", true
		}
		return "false", true
	case values.Null, values.Map, values.List:
	}
	return "", false
}

// scalar is the number of a scalar's value.
func (w *Worker) scalar(n *values.Node, path uint32, hide bool) uint32 {
	free := w.nodes[path].allowed && !w.nodes[path].kept && !isEmpty(n)
	if free && w.secrets == nil {
		return setScalar
	}
	if n.Unknown {
		if free {
			return setScalar
		}
		return w.intern(datum{kind: n.Kind, unknown: true, text: n.Text})
	}
	hide = hide || n.Secret
	if n.Kind == values.String && !hide {
		hide = w.isCredential(n.Text)
	}
	if hide && w.secrets != nil {
		w.remember(n)
	}
	if free {
		return setScalar
	}
	d := datum{kind: n.Kind, num: math.Float64bits(n.Num), text: n.Text}
	if n.Kind == values.Number {
		d.text = cmp.Or(wholeText(n), n.Written())
	}
	if hide && n.Kind != values.Bool && !isEmpty(n) {
		d = datum{kind: n.Kind, hidden: true, text: w.hash(n)}
	}
	return w.intern(d)
}

// isCredential is the function of that name with a memory for texts that are
// none: clusters mostly hold the same ones.
func (w *Worker) isCredential(text string) bool {
	const most = 1 << 16
	if w.harmless[text] {
		return false
	}
	if isCredential(text) {
		return true
	}
	if len(w.harmless) < most {
		w.harmless[strings.Clone(text)] = true
	}
	return false
}

func isEmpty(n *values.Node) bool {
	return n.Kind == values.Null || n.Kind == values.String && n.Text == ""
}

// remember keeps a secret-like value, to take it out of what rules say.
func (w *Worker) remember(n *values.Node) {
	switch {
	case n.Kind == values.String && n.Text != "":
		if !w.secrets[n.Text] {
			w.secrets[strings.Clone(n.Text)] = true // not to hold on to the whole file
		}
	case n.Kind == values.Number:
		w.secrets[values.FormatNumber(n.Num)] = true
	}
}

func (w *Worker) hash(n *values.Node) string {
	w.mac.Reset()
	text := n.Text
	if n.Kind == values.Number && text == "" {
		text = printed(n.Num) // so that it is equal to what is printed alike
	}
	w.mac.Write([]byte(text))
	if written := n.Written(); written != "" {
		w.mac.Write([]byte("\x00" + written))
	}
	return string(w.mac.Sum(nil))
}

func (w *Worker) intern(d datum) uint32 {
	if id, ok := w.data[d]; ok {
		return id
	}
	d.text = strings.Clone(d.text) // not to hold on to the whole file
	id := uint32(len(w.datums))
	w.datums = append(w.datums, d)
	w.data[d] = id
	return id
}

func (w *Worker) file(name string) uint32 {
	if name == w.last {
		return w.lastID
	}
	id, ok := w.files[name]
	if !ok {
		id = uint32(len(w.names))
		w.files[name] = id
		w.names = append(w.names, name)
	}
	w.last, w.lastID = name, id
	return id
}
