package render

import (
	"fmt"
	"runtime"
)

// Limits bound a render. The zero value means the defaults.
type Limits struct {
	// Files is how many files one render may read. Default 20,000.
	Files int
	// FileBytes is the most bytes of one file. Default 5 MiB, Helm's own.
	FileBytes int64
	// InputBytes is the most bytes of all files together. Default 100 MiB.
	InputBytes int64
	// Objects is how many objects one render may give. Default 10,000.
	Objects int
	// OutputBytes is the most bytes of all objects together. Default 64 MiB.
	OutputBytes int64
	// HeapBytes is how far the program's heap may grow while a render runs.
	// Default 1 GiB.
	HeapBytes uint64
	// AtOnce is how many renders may run at once, among them those whose
	// caller has gone: a template cannot be stopped from outside. Default
	// twice the processors.
	AtOnce int
	// Aliases is how many nodes the aliases of one document may stand for.
	// Default 100,000.
	Aliases int
}

func (l Limits) withDefaults() Limits {
	def(&l.Files, 20_000)
	def(&l.FileBytes, 5<<20)
	def(&l.InputBytes, 100<<20)
	def(&l.Objects, 10_000)
	def(&l.OutputBytes, 64<<20)
	def(&l.HeapBytes, 1<<30)
	def(&l.AtOnce, 2*runtime.GOMAXPROCS(0))
	def(&l.Aliases, 100_000)
	return l
}

func def[T int | int64 | uint64](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// LimitError says which limit a render hit.
type LimitError struct {
	// Limit is the limit's name and Value what it is set to.
	Limit string
	Value int64
	// Where names the file or chart.
	Where string
	// Remedy is what to do.
	Remedy string
}

// Error is one line.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: limit %s=%d hit; %s", e.Where, e.Limit, e.Value, e.Remedy)
}
