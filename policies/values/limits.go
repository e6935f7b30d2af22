// Package values reads the values files of a cluster and merges them as Helm
// does: the chart's defaults with those of its subcharts, then each values
// file in order. Every value keeps the file, line and column of the layer that
// won.
package values

// Limits bound what is read. The zero value means the defaults; an error says
// which limit was hit, and its value.
type Limits struct {
	// FileSize is the most bytes of one file. Default 4 MiB.
	FileSize int64
	// Depth is how deep maps and lists may nest. Default 100.
	Depth int
	// Aliases is how many nodes the aliases of one file may expand to.
	// Default 100,000.
	Aliases int
	// Leaves is how many values one file or one cluster may have. Default
	// 200,000.
	Leaves int
	// KeyLength is the most bytes of one key. Default 1024.
	KeyLength int
}

// WithDefaults is l with every limit that is not set at its default.
func (l Limits) WithDefaults() Limits {
	if l.FileSize <= 0 {
		l.FileSize = 4 << 20
	}
	if l.Depth <= 0 {
		l.Depth = 100
	}
	if l.Aliases <= 0 {
		l.Aliases = 100_000
	}
	if l.Leaves <= 0 {
		l.Leaves = 200_000
	}
	if l.KeyLength <= 0 {
		l.KeyLength = 1024
	}
	return l
}
