package fix

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/keypath"
	"github.com/syncgate/syncgate/policies/rules"
)

func limit(name string, value int) error {
	return fmt.Errorf("limit %s=%d hit: correct what has a diff and validate again", name, value)
}

// consider takes a finding up when there is one answer to it.
func (p *planner) consider(c candidate) {
	f := c.finding
	if f.Rule != rules.Identical || len(f.Holdings) < 2 {
		return
	}
	right := f.Holdings[0]
	switch {
	case len(p.list) >= maxFindings:
		p.refuse(c, limit("diffs", maxFindings).Error())
	case !right.Right && len(right.Places) <= len(f.Holdings[1].Places):
		p.refuse(c, "no value has a majority and the Gate names no reference cluster that holds one")
	case slices.ContainsFunc(f.Holdings, func(h finding.Holding) bool { return strings.Contains(h.Value, redacted) }):
		p.refuse(c, "the value may be a secret; set it by hand")
	case strings.HasPrefix(f.Path, "$"):
		p.refuse(c, "it stands in what is compared beside the values")
	case !isWhole(f.Holdings):
		p.refuse(c, "a map or a list as a whole differs")
	default:
		p.list = append(p.list, c)
	}
}

// isWhole reports whether all hold single values, or some a map or list that
// the others do not have at all. One that is shown with less than all that is in
// it may hold what is each cluster's own.
func isWhole(holdings []finding.Holding) bool {
	if !slices.ContainsFunc(holdings, isCollection) {
		return true
	}
	return len(holdings) == 2 && holdings[0].Missing != holdings[1].Missing &&
		!slices.ContainsFunc(holdings, func(h finding.Holding) bool { return strings.Contains(h.Value, "…") })
}

// isCollection reports whether a holding holds a map or a list: the value is
// JSON.
func isCollection(h finding.Holding) bool {
	return strings.HasPrefix(h.Value, "{") || strings.HasPrefix(h.Value, "[")
}

// own notes which files the clusters of a Gate have their values from. A cluster
// is the same one in every Gate.
func (p *planner) own(g *gate.Gate) {
	layers := map[string][]gate.Layer{}
	for _, c := range g.Spec.Clusters {
		list, err := policies.Layers(g, c)
		if err != nil {
			continue // the Gate was evaluated, so there is none
		}
		layers[c.Name] = list
		for _, l := range list {
			name := l.File
			if name == "" && l.Values != nil {
				name = l.Values.File
			}
			have := p.owners[name]
			if name != "" && (len(have) == 0 || have[len(have)-1] != c.Name) {
				p.owners[name] = append(have, c.Name)
			}
		}
	}
	p.layers = append(p.layers, layers)
}

// solve writes on the sheet what makes the finding hold: all of it, or there is
// an error that says why not. It returns how many places that takes.
func (s *sheet) solve(c candidate) (edits int, err error) {
	f := c.finding
	path, err := keypath.Parse(f.Path)
	if err != nil {
		return 0, errors.New("its key path cannot be read back")
	}
	segments, ok := path.Exact()
	if !ok {
		return 0, errors.New("its key path has a star")
	}
	job := job{candidate: c, segments: segments, odd: map[string]bool{}, done: map[finding.Position]bool{}}
	for _, h := range f.Holdings[1:] {
		for _, place := range h.Places {
			job.odd[place.Cluster] = true
		}
	}
	if right := f.Holdings[0]; right.Missing {
		job.remove = true
	} else if job.value, err = s.rightValue(right, job.item()); err != nil {
		return 0, err
	}
	for _, h := range f.Holdings[1:] {
		for _, place := range h.Places {
			if err := s.correct(&job, h, place); err != nil {
				return len(job.done), err
			}
			if len(job.done) > maxEdits {
				return len(job.done), limit("places", maxEdits)
			}
		}
	}
	return len(job.done), nil
}

// job is a finding that is being solved.
type job struct {
	candidate
	segments []string
	odd      map[string]bool
	value    scalar
	remove   bool
	done     map[finding.Position]bool
}

// item reports whether the path names an item of a list.
func (j *job) item() bool { return isItem(j.segments[len(j.segments)-1]) }

// maxTried is at how many places the right value is looked for.
const maxTried = 10

// rightValue is the value of the clusters that are right, as one of them writes
// it.
func (s *sheet) rightValue(h finding.Holding, item bool) (scalar, error) {
	err := errors.New("no right cluster has it in a file")
	tried := map[finding.Position]bool{}
	for _, place := range h.Places {
		at := place.Position
		if at.File == "" || at.Line == 0 || tried[at] {
			continue
		}
		if len(tried) == maxTried {
			break
		}
		tried[at] = true
		data, readErr := s.original(at.File)
		if readErr != nil {
			err = readErr
			continue
		}
		v, findErr := s.planner.read(data, at, isCollection(h), item)
		if findErr == nil {
			return v, nil
		}
		err = fmt.Errorf("the right value at %s cannot be copied: %w", at, findErr)
	}
	return scalar{}, err
}

// read is a value of a file, unless it may be a secret.
func (p *planner) read(data []byte, at finding.Position, collection, item bool) (scalar, error) {
	if !collection {
		v, err := scalarAt(data, at, p.opts.Limits)
		if err == nil && p.differ.secret(v.node.Value) {
			err = errSecret
		}
		return v, err
	}
	v, lines, err := blockAt(data, at, item, p.opts.Limits)
	if err != nil {
		return scalar{}, err
	}
	in, err := p.differ.secretsOf(data)
	if err != nil {
		return scalar{}, err
	}
	all := strings.Split(string(data), "\n")
	for n := lines[0]; n <= lines[1]; n++ {
		if line := strings.TrimSuffix(all[n-1], "\r"); p.differ.line(line, n, in) != line || p.differ.secret(line) {
			return scalar{}, errSecret
		}
	}
	return v, nil
}

var errSecret = errors.New("it may be a secret; set it by hand")

// correct changes what one odd cluster holds.
func (s *sheet) correct(j *job, h finding.Holding, place finding.Place) error {
	at := place.Position
	if !h.Missing && at.Line > 0 && s.planner.isOwn(at.File, j.odd) {
		if j.done[at] {
			return nil
		}
		j.done[at] = true
		if j.remove {
			return s.at(at, "cannot be removed from", func(data []byte, now finding.Position) (edit, error) {
				return removeAt(data, now, j.item(), s.planner.opts.Limits)
			})
		}
		return s.at(at, "cannot be replaced at", func(data []byte, now finding.Position) (edit, error) {
			return replaceAt(data, now, j.value, s.planner.opts.Limits)
		})
	}
	if j.remove {
		return fmt.Errorf("cluster %s has it from %s, which is not its own", place.Cluster, at)
	}
	target, err := s.planner.ownLayer(j, place)
	if err != nil {
		return err
	}
	if j.done[target] {
		return nil
	}
	j.done[target] = true
	insert := func(data []byte, now finding.Position) (edit, error) {
		return insertAt(data, now, j.segments, j.value, s.planner.opts.Limits)
	}
	if target.Line > 0 {
		return s.at(target, "cannot be added to", insert)
	}
	return s.in(target.File, "cannot be added to", func(data []byte) (edit, error) { return insert(data, finding.Position{}) })
}

// isOwn reports whether nobody but the odd clusters reads a file.
func (p *planner) isOwn(file string, odd map[string]bool) bool {
	owners := p.owners[file]
	return len(owners) > 0 && !slices.ContainsFunc(owners, func(cluster string) bool { return !odd[cluster] })
}

// ownLayer is the strongest values file of a cluster that nobody but the odd
// clusters reads, or the key of the values in an object that is their own.
func (p *planner) ownLayer(j *job, place finding.Place) (finding.Position, error) {
	layers := p.layers[j.gate][place.Cluster]
	for i := len(layers) - 1; i >= 0; i-- {
		switch l := layers[i]; {
		case l.File != "" && p.isOwn(l.File, j.odd):
			return finding.Position{File: l.File}, nil
		case l.File == "" && l.Values != nil && l.Values.Line > 0 && p.isOwn(l.Values.File, j.odd):
			return l.Values.Position(), nil
		}
	}
	if place.Position.File != "" && len(p.owners[place.Position.File]) > 1 {
		return finding.Position{}, fmt.Errorf("%s is read by clusters that are right, too, and %s has no values of its own", place.Position.File, place.Cluster)
	}
	return finding.Position{}, fmt.Errorf("cluster %s has no values of its own to write it to", place.Cluster)
}
