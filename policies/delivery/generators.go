package delivery

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/syncgate/syncgate/policies/finding"
	"github.com/syncgate/syncgate/policies/values"
)

// list gives the elements that are written out.
func (s *appSet) list(spec *fields) ([]map[string]any, error) {
	var all []map[string]any
	for _, e := range spec.list("elements") {
		if e.Kind != values.Map {
			return nil, s.object.failAt(e, "list: expected a map as element, found "+e.Kind.String(), "correct the element")
		}
		if s.render.goTemplate {
			all = append(all, e.NativeMap())
			continue
		}
		params := map[string]any{}
		for _, f := range e.Fields {
			prefix, list := "", []values.Field{f}
			if f.Key == "values" && f.Value.Kind == values.Map {
				prefix, list = "values.", f.Value.Fields
			}
			for _, f := range list {
				if f.Value.Kind != values.String {
					return nil, s.object.failAt(f.Value, fmt.Sprintf("list: %s: without goTemplate a parameter is a string, found %s", f.Key, f.Value.Kind), "put it in quotes, or set goTemplate")
				}
				params[prefix+f.Key] = f.Value.Text
			}
		}
		all = append(all, params)
	}
	text := spec.of(values.String, []string{"elementsYaml"})
	if text == nil || text.Text == "" {
		return all, spec.err
	}
	at := text.Position()
	more, err := parameterSets([]byte(text.Text), values.Part{File: text.File, Fixed: &at}, s.x.limits)
	return append(all, more...), err
}

// parameterSets reads a YAML list of maps, or one map.
func parameterSets(data []byte, part values.Part, limits values.Limits) ([]map[string]any, error) {
	// A list is no values file: it is read as the value of a key.
	wrapped := append([]byte("list:\n"), data...)
	if n, err := values.Parse(wrapped, part.File, limits); err == nil && n.Get("list") != nil && n.Get("list").Kind == values.List {
		var all []map[string]any
		for _, item := range n.Get("list").Items {
			if item.Kind != values.Map {
				return nil, &Error{Position: finding.Position{File: part.File}, Problem: "expected a list of maps, found " + item.Kind.String() + " in it", Remedy: "correct the file"}
			}
			all = append(all, item.NativeMap())
		}
		if len(all) == 0 {
			all = append(all, map[string]any{})
		}
		return all, nil
	}
	n, err := values.ParsePart(data, part, limits)
	if err != nil {
		return nil, err
	}
	return []map[string]any{n.NativeMap()}, nil
}

// argoClusters gives the clusters that the Gate says Argo CD knows.
func (s *appSet) argoClusters(spec *fields) ([]map[string]any, error) {
	if len(s.x.from.ArgoClusters) == 0 {
		return nil, s.object.failAt(spec.node, "uses the cluster generator, which asks Argo CD for its clusters",
			"list them in argoClusters of spec.clustersFrom, with the labels of their Secrets, in-cluster included")
	}
	sel, err := readSelector(spec, spec.table("selector"))
	if err != nil {
		return nil, err
	}
	flat := spec.flag("flatList")
	all := []map[string]any{}
	for _, c := range s.x.from.ArgoClusters {
		local := c.Name == "in-cluster" && len(c.Labels) == 0 && len(c.Annotations) == 0
		if local && !sel.empty() {
			continue // it has no Secret that could have labels
		}
		labels := map[string]string{"argocd.argoproj.io/secret-type": "cluster"}
		for key, v := range c.Labels {
			labels[key] = v
		}
		if !local && !sel.matches(labels) {
			continue
		}
		params := map[string]any{"name": c.Name, "nameNormalized": normalize(c.Name), "server": c.Server, "project": c.Project}
		if !local {
			s.metadata(params, labels, c.Annotations)
		}
		if err := s.addValues(spec, params); err != nil {
			return nil, err
		}
		all = append(all, params)
	}
	if flat {
		return []map[string]any{{"clusters": all}}, spec.err
	}
	return all, spec.err
}

func (s *appSet) metadata(params map[string]any, labels, annotations map[string]string) {
	if s.render.goTemplate {
		meta := map[string]any{"labels": labels}
		if len(annotations) > 0 {
			meta["annotations"] = annotations
		}
		params["metadata"] = meta
		return
	}
	for key, v := range labels {
		params["metadata.labels."+key] = v
	}
	for key, v := range annotations {
		params["metadata.annotations."+key] = v
	}
}

// addValues adds a generator's values, which may use its parameters.
func (s *appSet) addValues(spec *fields, params map[string]any) error {
	table := spec.table("values")
	if table == nil {
		return spec.err
	}
	made := map[string]string{}
	for _, f := range table.Fields {
		if f.Value.Kind != values.String {
			return s.object.failAt(f.Value, fmt.Sprintf("values.%s: expected a string, found %s", f.Key, f.Value.Kind), "put it in quotes")
		}
		text, err := s.render.text(f.Value, params)
		if err != nil {
			return err
		}
		made[f.Key] = text
	}
	if s.render.goTemplate {
		params["values"] = made
		return nil
	}
	for key, v := range made {
		params["values."+key] = v
	}
	return nil
}

// git gives folders or files of this repository.
func (s *appSet) git(spec *fields) ([]map[string]any, error) {
	if url := spec.text("repoURL"); url != "" {
		s.x.gitURLs = append(s.x.gitURLs, gitURL{url, s.object, spec.get("repoURL")})
	}
	prefix := spec.text("pathParamPrefix")
	if dirs := spec.list("directories"); len(dirs) > 0 {
		found, err := s.directories(spec, dirs)
		if err != nil {
			return nil, err
		}
		var all []map[string]any
		for _, dir := range found {
			params := map[string]any{}
			s.pathParams(params, prefix, dir, "")
			if err := s.addValues(spec, params); err != nil {
				return nil, err
			}
			all = append(all, params)
		}
		return all, spec.err
	}
	return s.gitFiles(spec, prefix)
}

// directories are the folders that the patterns keep, hidden ones left out.
func (s *appSet) directories(spec *fields, patterns []*values.Node) ([]string, error) {
	var found []string
	seen := 0
	err := fs.WalkDir(s.x.tree.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if seen++; seen > maxEntries {
			return s.object.failAt(spec.node, fmt.Sprintf("limit entries=%d hit: the repository has more files and folders", maxEntries), "list the clusters in spec.clusters")
		}
		if !entry.IsDir() || name == "." {
			return nil
		}
		if strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		include, exclude := false, false
		for _, p := range patterns {
			f := spec.below(p)
			if ok, err := path.Match(f.text("path"), name); err == nil && ok {
				include = include || !f.flag("exclude")
				exclude = exclude || f.flag("exclude")
			}
			if f.err != nil {
				return f.err
			}
		}
		if include && !exclude {
			found = append(found, name)
		}
		return nil
	})
	return found, err
}

// gitFiles gives the content of files.
func (s *appSet) gitFiles(spec *fields, prefix string) ([]map[string]any, error) {
	names, err := s.fileNames(spec)
	if err != nil {
		return nil, err
	}
	all := []map[string]any{}
	for _, name := range names {
		data, err := s.x.tree.Read(name, maxText)
		if err != nil {
			return nil, err
		}
		s.object.files = append(slices.Clip(s.object.files), name)
		sets, err := parameterSets(data, values.Part{File: name}, s.x.limits)
		if err != nil {
			return nil, err
		}
		for _, params := range sets {
			if !s.render.goTemplate {
				flat := map[string]any{}
				for key, v := range flattened(params) {
					flat[key] = v
				}
				params = flat
			}
			s.pathParams(params, prefix, path.Dir(name), path.Base(name))
			if err := s.addValues(spec, params); err != nil {
				return nil, err
			}
			all = append(all, params)
		}
	}
	return all, spec.err
}

// fileNames are the files that the patterns of a git generator name. Argo CD
// takes them for Git's own: a star stops at no slash, a folder names what is in it.
func (s *appSet) fileNames(spec *fields) ([]string, error) {
	var include, exclude []*regexp.Regexp
	for _, item := range spec.list("files") {
		f := spec.below(item)
		re, err := pathspec(f.text("path"))
		if err != nil || f.err != nil {
			return nil, firstError(f.err, s.object.failAt(item, "git: the pattern of the files is malformed", "correct it"))
		}
		if f.flag("exclude") {
			exclude = append(exclude, re)
		} else {
			include = append(include, re)
		}
	}
	if len(include) == 0 {
		return nil, firstError(spec.err, s.object.failAt(spec.node, "git: expected directories or files, found none", "name some"))
	}
	var found []string
	seen := 0
	matches := func(name string) func(*regexp.Regexp) bool {
		return func(re *regexp.Regexp) bool { return re.MatchString(name) }
	}
	err := fs.WalkDir(s.x.tree.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch seen++; {
		case err != nil:
			return err
		case seen > maxEntries:
			return s.object.failAt(spec.node, fmt.Sprintf("limit entries=%d hit: the repository has more files and folders", maxEntries), "list the clusters in spec.clusters")
		case entry.IsDir() && entry.Name() == ".git":
			return fs.SkipDir
		case !entry.IsDir() && slices.ContainsFunc(include, matches(name)) && !slices.ContainsFunc(exclude, matches(name)):
			found = append(found, name)
		}
		if len(found) > maxFiles {
			return s.object.failAt(spec.node, fmt.Sprintf("limit files=%d hit: git names more", maxFiles), "narrow the pattern")
		}
		return nil
	})
	slices.Sort(found)
	return found, err
}

func pathspec(text string) (*regexp.Regexp, error) {
	text = strings.Trim(text, "/")
	if text == "" {
		return nil, errors.New("empty")
	}
	g, err := compile(strings.ReplaceAll(text, "**", "*"), ".")
	if err != nil {
		return nil, err
	}
	return regexp.Compile("(?s)^(?:" + strings.TrimSuffix(strings.TrimPrefix(g.re.String(), "(?s)^"), "$") + ")(?:/.*)?$")
}

// pathParams adds what is known of the path of a folder, or of a file in it.
func (s *appSet) pathParams(params map[string]any, prefix, dir, file string) {
	segments := strings.Split(dir, "/")
	if s.render.goTemplate {
		p := map[string]any{"path": dir, "basename": path.Base(dir), "basenameNormalized": normalize(path.Base(dir)), "segments": segments}
		if file != "" {
			p["filename"], p["filenameNormalized"] = file, normalize(file)
		}
		if prefix != "" {
			params[prefix] = map[string]any{"path": p}
			return
		}
		params["path"] = p
		return
	}
	name := "path"
	if prefix != "" {
		name = prefix + ".path"
	}
	params[name] = dir
	params[name+".basename"], params[name+".basenameNormalized"] = path.Base(dir), normalize(path.Base(dir))
	if file != "" {
		params[name+".filename"], params[name+".filenameNormalized"] = file, normalize(file)
	}
	for i, segment := range segments {
		if segment != "" {
			params[name+"["+strconv.Itoa(i)+"]"] = segment
		}
	}
}

var notInName = regexp.MustCompile("[^-a-z0-9.]")

// normalize makes a DNS name of a text.
func normalize(s string) string {
	s = notInName.ReplaceAllString(strings.ToLower(s), "-")
	if len(s) > 253 {
		s = s[:253]
	}
	return strings.Trim(s, "-.")
}
