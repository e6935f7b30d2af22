package fix

import (
	"fmt"

	"github.com/syncgate/syncgate/policies/finding"
)

// sheet is the files of the tree with some edits made, one after the other.
// Places of findings are those of the tree as it is; the sheet knows where they
// are by now.
type sheet struct {
	overlay
	planner *planner
	moves   map[string][]edit
}

func (p *planner) sheet() *sheet {
	return &sheet{overlay: overlay{p.opts.Tree, map[string][]byte{}}, planner: p, moves: map[string][]edit{}}
}

// original is a file as it is in the tree.
func (s *sheet) original(name string) ([]byte, error) {
	p := s.planner
	if data, ok := p.files[name]; ok {
		return data, nil
	}
	real, err := p.tree.Real(name)
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	if real != name {
		return nil, fmt.Errorf("%s is a symbolic link", name)
	}
	data, err := p.tree.Read(name, p.opts.Limits.FileSize)
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	p.files[name] = data
	return data, nil
}

// in makes an edit in a file.
func (s *sheet) in(name, cannot string, make func(data []byte) (edit, error)) error {
	now, changed := s.files[name]
	if !changed {
		var err error
		if now, err = s.original(name); err != nil {
			return err
		}
	}
	e, err := make(now)
	if err != nil {
		return fmt.Errorf("it %s %s: %w", cannot, name, err)
	}
	s.files[name] = e.apply(now)
	s.moves[name] = append(s.moves[name], e)
	return nil
}

// at makes an edit at a place of a file as it is in the tree.
func (s *sheet) at(at finding.Position, cannot string, make func(data []byte, now finding.Position) (edit, error)) error {
	before, err := s.original(at.File)
	if err != nil {
		return err
	}
	whole := text{data: before}
	offset, ok := whole.offsetOf(at.Line, at.Column)
	if !ok {
		return fmt.Errorf("it %s %s: there is no such place", cannot, at)
	}
	for _, e := range s.moves[at.File] {
		switch {
		case offset >= e.end:
			offset += len(e.with) - (e.end - e.start)
		case offset > e.start:
			return fmt.Errorf("it %s %s: the fix of another finding changes it", cannot, at)
		}
	}
	return s.in(at.File, cannot, func(data []byte) (edit, error) { return make(data, place(data, offset)) })
}
