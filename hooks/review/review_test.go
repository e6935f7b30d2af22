package review

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncgate/syncgate/gitops"
	"github.com/syncgate/syncgate/gitops/forge"
	"github.com/syncgate/syncgate/gitops/forge/webhook"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/report"
	"github.com/syncgate/syncgate/policies/survey"
)

const spec = `apiVersion: syncgate.dev/v1alpha1
kind: Gate
metadata: {name: web}
spec:
  namespace: chat
  packs: [mattermost]
  reference: eu
  perCluster: [{path: host, reason: each its own}]
  required: [tag]
  unique: [{path: bucket}]
  rules: [{name: two, expr: "size(clusters) == 2", message: two}]
  preSync: {checks: [{name: backup, backup: {maxAge: 24h, objects: {store: s, prefix: p/}}}]}
  guards: [{use: mattermost/server}]
  clusters: [{name: eu, values: [eu.yaml]}, {name: us, values: [us.yaml]}]
`

func values(host, tag string) string {
	return fmt.Sprintf("host: %s\nbucket: %s\ntag: %q\nmattermostCR: {spec: {version: 11.7.4}}\n", host, host, tag)
}

// tree is the Gate with its values, and what is changed of it: "" is removed.
func tree(edits map[string]string) fstest.MapFS {
	files := map[string]string{
		"web/syncgate.yaml": spec, "web/eu.yaml": values("eu", "1"), "web/us.yaml": values("us", "1"),
		"other/syncgate.yaml": strings.NewReplacer("name: web}", "name: other}").Replace(spec),
		"other/eu.yaml":       values("eu", "1"), "other/us.yaml": values("us", "2"), // does not hold
	}
	maps.Copy(files, edits)
	out := fstest.MapFS{}
	for name, text := range files {
		if text != "" {
			out[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return out
}

// repo is a repository with two commits, "base" and "head", as long as a SHA.
type repo struct {
	base, head fs.FS
	merge      string // the merge base
	tip        string // what the pull request points at
	moves      string // and once it has been asked for
}

func (r *repo) Tree(_ context.Context, sha string) (fs.FS, error) {
	switch {
	case sha == "head":
		return r.head, nil
	case sha == "base" && r.base != nil:
		return r.base, nil
	}
	return nil, fmt.Errorf("%w: %s", gitops.ErrNoRevision, sha)
}

func (r *repo) Branch(context.Context, string) (string, error)            { return "main", nil }
func (r *repo) IsAncestor(context.Context, string, string) (bool, error)  { return true, nil }
func (r *repo) MergeBase(context.Context, string, string) (string, error) { return r.merge, nil }
func (r *repo) PullRequest(context.Context, int) (string, error) {
	was := r.tip
	r.tip = r.moves
	return was, nil
}

// Changed implements gitops.Comparer.
func (r *repo) Changed(context.Context, string, string) (out []string, err error) {
	a, b := r.base.(fstest.MapFS), unwrapped(r.head)
	for name := range a {
		if b[name] == nil || !bytes.Equal(a[name].Data, b[name].Data) {
			out = append(out, name)
		}
	}
	for name := range b {
		if a[name] == nil {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

func unwrapped(f fs.FS) fstest.MapFS {
	if b, ok := f.(breaking); ok {
		return b.MapFS
	}
	return f.(fstest.MapFS)
}

// breaking cannot be read at a path, as when Git is away.
type breaking struct {
	fstest.MapFS
	at string
}

var errAway = errors.New("the remote hung up")

func (b breaking) Open(name string) (fs.File, error) {
	if name == b.at {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errAway}
	}
	return b.MapFS.Open(name)
}

// ReadFile implements fs.ReadFileFS, past that of the MapFS.
func (b breaking) ReadFile(name string) ([]byte, error) {
	if name == b.at {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errAway}
	}
	return b.MapFS.ReadFile(name)
}

type reporter struct{ reports []forge.Report }

func (r *reporter) Publish(_ context.Context, rep forge.Report) (forge.Publication, error) {
	r.reports = append(r.reports, rep)
	return forge.Publication{}, nil
}

func (r *reporter) last() forge.Report { return r.reports[len(r.reports)-1] }

func judged(t *testing.T, r *repo) (forge.Report, error) {
	t.Helper()
	switch r.merge {
	case "":
		r.merge = "base"
	case "none":
		r.merge = ""
	}
	r.tip = "head"
	if r.moves == "" {
		r.moves = "head"
	}
	out := &reporter{}
	rv := New(Options{Repositories: map[string]Repository{"fleet": {Git: r, Reporter: out, Branch: "main"}}, Now: today})
	err := rv.Review(t.Context(), "fleet", webhook.Event{Kind: webhook.PullRequest, Number: 7, Head: webhook.Ref{SHA: "head"}, Base: webhook.Ref{Ref: "refs/heads/main"}})
	return out.last(), err
}

func today() time.Time { return time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC) }

func TestReview(t *testing.T) {
	edit := func(old, new string) map[string]string {
		if !strings.Contains(spec, old) {
			t.Fatalf("%q is not in the Gate", old)
		}
		return map[string]string{"web/syncgate.yaml": strings.Replace(spec, old, new, 1)}
	}
	weaker := func(old, new string) map[string]string {
		return edit(old, new)
	}
	for _, tt := range []struct {
		name       string
		edits      map[string]string
		repo       repo
		broken     bool // the Gate cannot be read, before and after
		conclusion forge.Conclusion
		want       []string // in title or summary
		not        []string
	}{
		{name: "both clusters", edits: map[string]string{"web/eu.yaml": values("eu", "2"), "web/us.yaml": values("us", "2")},
			conclusion: forge.Success, want: []string{"Values agree: 1 gate"}, not: []string{"lets go"}},
		{name: "one cluster", edits: map[string]string{"web/us.yaml": values("us", "2")}, conclusion: forge.Failure, want: []string{"1 finding in gate web: identical tag"}},
		{name: "a downgrade, which only the change shows", edits: map[string]string{
			"web/eu.yaml": strings.Replace(values("eu", "1"), "11.7.4", "11.7.3", 1), "web/us.yaml": strings.Replace(values("us", "1"), "11.7.4", "11.7.3", 1)},
			conclusion: forge.Failure, want: []string{"mattermost/no-server-downgrade"}},
		{name: "nothing that a Gate reads", edits: map[string]string{"README.md": "x"}, conclusion: forge.Neutral, want: []string{"No gate reads what this changes (of 2)"}},
		{name: "a values file removed", edits: map[string]string{"web/us.yaml": ""}, conclusion: forge.Failure, want: []string{"Could not tell", "web/us.yaml"}},
		{name: "a new Gate of a name that is taken", edits: map[string]string{"a/syncgate.yaml": spec, "a/eu.yaml": values("eu", "1"), "a/us.yaml": values("us", "1")},
			conclusion: forge.Failure, want: []string{"Could not tell", "name of its own"}},
		{name: "values of a Gate that cannot be read before and after", edits: map[string]string{"web/us.yaml": values("us", "2")}, broken: true,
			conclusion: forge.Failure, want: []string{"Could not tell", "nonsense"}},
		{name: "the Gate removed", edits: map[string]string{"web/syncgate.yaml": "", "other/syncgate.yaml": ""}, conclusion: forge.Neutral, want: []string{"Gates are removed", "nothing is held any more"}},
		{name: "a reason is better worded", edits: weaker("each its own", "each has its own"), conclusion: forge.Success, want: []string{"Values agree: 1 gate"}, not: []string{"lets go"}},
		{name: "more is held", edits: weaker("required: [tag]", "required: [tag, host]"), conclusion: forge.Success, not: []string{"lets go"}},
		{name: "a path may differ now", edits: weaker("[{path: host,", "[{path: tag}, {path: host,"), conclusion: forge.Success, want: []string{"and this lets go", `perCluster "tag" is new`}},
		{name: "less is required", edits: weaker("required: [tag]", "required: []"), conclusion: forge.Success, want: []string{`required "tag" is taken out`}},
		{name: "a pack is gone", edits: map[string]string{"web/syncgate.yaml": strings.NewReplacer("packs: [mattermost]", "packs: []", "  guards: [{use: mattermost/server}]\n", "").Replace(spec)},
			conclusion: forge.Success, want: []string{`packs "mattermost" is taken out`, `guards "mattermost/server" is taken out`}},
		{name: "a backup may be older", edits: weaker("maxAge: 24h", "maxAge: 2400h"), conclusion: forge.Success, want: []string{`preSync.checks "backup" is changed`}},
		{name: "a check is gone", edits: weaker("[{name: backup, backup: {maxAge: 24h, objects: {store: s, prefix: p/}}}]", "[]"), conclusion: forge.Success, want: []string{`preSync.checks "backup" is taken out`}},
		{name: "a pass counts for longer", edits: weaker("preSync: {checks", "preSync: {freshFor: 48h, checks"), conclusion: forge.Success, want: []string{"preSync.freshFor is new"}},
		{name: "a rule says less", edits: weaker("size(clusters) == 2", "size(clusters) > 0"), conclusion: forge.Success, want: []string{`rules "two" is changed`}},
		{name: "let go of to drift", edits: map[string]string{"web/syncgate.yaml": strings.Replace(spec, "[{path: host,", "[{path: tag}, {path: host,", 1), "web/us.yaml": values("us", "2")},
			conclusion: forge.Success, want: []string{"would find here", "identical tag"}},
		{name: "nothing in common with its target", repo: repo{merge: "none"}, conclusion: forge.Failure, want: []string{"Could not tell", "no commit in common"}},
		{name: "where it began is gone", repo: repo{merge: "gone"}, conclusion: forge.Failure, want: []string{"Could not tell", "does not have it any more"}},
		{name: "pushed over meanwhile", repo: repo{moves: "newer"}, conclusion: forge.Cancelled, want: []string{"Superseded"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.repo
			base, head := tree(nil), tree(tt.edits)
			if tt.broken {
				for _, f := range []fstest.MapFS{base, head} {
					f["web/syncgate.yaml"] = &fstest.MapFile{Data: []byte(spec + "  nonsense: 1\n")}
				}
			}
			r.base, r.head = base, head
			got, err := judged(t, &r)
			if err != nil {
				t.Fatal(err)
			}
			text := got.Title + "\n" + got.Summary
			if got.Conclusion != tt.conclusion {
				t.Errorf("concluded %s, expected %s:\n%s", got.Conclusion, tt.conclusion, text)
			}
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("expected %q in\n%s", want, text)
				}
			}
			for _, not := range tt.not {
				if strings.Contains(text, not) {
					t.Errorf("did not expect %q in\n%s", not, text)
				}
			}
			if len(text) > forge.MaxSummary {
				t.Errorf("%d bytes", len(text))
			}
		})
	}
}

// What a Gate comes to is what validate --base says of it.
func TestReviewSaysWhatValidateSays(t *testing.T) {
	base := tree(nil)
	head := tree(map[string]string{
		"web/us.yaml": strings.Replace(values("eu", "2"), "11.7.4", "11.7.3", 1), "other/us.yaml": values("us", "3"),
	})
	got, err := judged(t, &repo{base: base, head: head})
	if err != nil {
		t.Fatal(err)
	}
	all, _ := survey.Collect(t.Context(), head, survey.Options{Base: base, BaseName: "base", Policies: policies.Options{Now: today()}, Diffs: true})
	var want []string
	for _, g := range all.Gates {
		for _, f := range g.Findings {
			want = append(want, report.Primary(f).String()+" "+strings.Join(report.Details(f), "\n"))
		}
	}
	var have []string
	for _, a := range got.Annotations {
		at := a.Path
		if a.StartLine > 0 {
			at += fmt.Sprintf(":%d", a.StartLine)
		}
		if a.StartColumn > 0 {
			at += fmt.Sprintf(":%d", a.StartColumn)
		}
		have = append(have, at+" "+a.Message)
	}
	slices.Sort(want)
	slices.Sort(have)
	if diff := cmp.Diff(want, have); diff != "" || len(want) < 5 {
		t.Errorf("%d findings (-validate +review):\n%s", len(want), diff)
	}
}

// That Git cannot be read is no verdict: it is tried again, wherever it happens.
func TestReviewThatCannotRead(t *testing.T) {
	for _, name := range []string{"web/eu.yaml", "web/syncgate.yaml", "other/us.yaml"} {
		got, err := judged(t, &repo{base: tree(nil), head: breaking{tree(edited()), name}})
		if !errors.Is(err, errAway) || got.Conclusion != "" {
			t.Errorf("%s: %v, and %q", name, err, got.Conclusion)
		}
	}
}

func edited() map[string]string {
	return map[string]string{"web/us.yaml": values("us", "2"), "other/us.yaml": values("us", "3")}
}

// A check that nobody will work on any more says so, and can be run again: its
// external ID is that of the review, for every kind of event.
func TestGiveUp(t *testing.T) {
	for _, ev := range []webhook.Event{
		{Kind: webhook.PullRequest, Number: 7, Head: webhook.Ref{SHA: "head"}, Base: webhook.Ref{Ref: "refs/heads/main"}},
		{Kind: webhook.MergeGroup, Head: webhook.Ref{SHA: "head"}, Base: webhook.Ref{SHA: "base"}},
		{Kind: webhook.Push, Head: webhook.Ref{SHA: "head"}, Base: webhook.Ref{SHA: "base"}},
		{Kind: webhook.Rerun, ExternalID: "pull/7", Head: webhook.Ref{SHA: "head"}},
	} {
		t.Run(string(ev.Kind), func(t *testing.T) {
			out := &reporter{}
			git := &repo{base: tree(nil), head: tree(edited()), merge: "base", tip: "head", moves: "head"}
			rv := New(Options{Repositories: map[string]Repository{"fleet": {Git: git, Reporter: out, Branch: "main"}}, Now: today})
			if err := rv.Review(t.Context(), "fleet", ev); err != nil {
				t.Fatal(err)
			}
			judged := out.last()
			if err := rv.GiveUp(t.Context(), "fleet", ev, errAway); err != nil {
				t.Fatal(err)
			}
			got := out.last()
			if got.Head != judged.Head || got.Name != judged.Name || got.ExternalID != judged.ExternalID || got.ExternalID == "" {
				t.Errorf("another check: %+v, judged %+v", got, judged)
			}
			if got.Status != forge.Completed || got.Conclusion != forge.Failure || !strings.Contains(got.Title, "re-run") || !strings.Contains(got.Summary, errAway.Error()) {
				t.Errorf("got %+v", got)
			}
		})
	}
}
