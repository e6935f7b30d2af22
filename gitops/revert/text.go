package revert

import (
	"fmt"
	"strings"

	"github.com/syncgate/syncgate/gitops"
)

// Bounds of what is written, in bytes. GitHub takes 65,536 characters; what is
// said last here must still fit.
const (
	maxBody     = 60_000
	maxReason   = 1_500
	maxFailures = 40
	maxFiles    = 60
	maxTitle    = 240
)

func title(req gitops.RevertRequest) string {
	return quiet(oneLine(fmt.Sprintf("Revert %s: %.12s failed on %s", req.Gate, req.Failing, req.Cluster), maxTitle))
}

func issueTitle(req gitops.RevertRequest) string {
	return quiet(oneLine(fmt.Sprintf("Revert %s by hand: %.12s failed on %s", req.Gate, req.Failing, req.Cluster), maxTitle))
}

// commitMessage ends with the trailers by which the commit is known again.
func commitMessage(req gitops.RevertRequest, id identity) string {
	return fmt.Sprintf(`%s

This undoes what %s..%s
did to the files of gate %s, because it did not pass there.
Later changes are kept.

%s: %s
%s: %s
`, title(req), req.LastGood, req.Failing, oneLine(req.Gate, 80), revertsTrailer, req.Failing, gateTrailer, encode(id.gate))
}

func pullRequestBody(req gitops.RevertRequest, id identity, p *plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", id.revert, clusterMarker(req.Cluster))
	fmt.Fprintf(&b, "Gate %s did not pass on cluster %s after revision %s was synced. This pull request undoes what %s did to the gate's files, and keeps every later change.\n\n",
		code(req.Gate), code(req.Cluster), code(req.Failing), code(req.LastGood[:12]+".."+req.Failing[:12]))
	b.WriteString(warning)
	writeFacts(&b, req)
	writeFiles(&b, "What this changes", p.paths())
	b.WriteString("### What to do\n\nMerge this to go back. To go forward instead, push a fix to " + code(req.Base) +
		" and close this pull request; it is not opened again for this revision. It closes by itself when a later attempt of the same revision passes.\n\n")
	writeFailures(&b, req)
	return bound(b.String())
}

const warning = `> [!WARNING]
> **Reverting Git does not revert the database.** Migrations that the failing version has run stay, and some cannot be undone. Before you merge, make sure that the older version runs on the schema as it is now; otherwise restore the backup named below.

`

func issueBody(req gitops.RevertRequest, id identity, why refusal) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", clusterMarker(req.Cluster))
	fmt.Fprintf(&b, "Gate %s did not pass on cluster %s after revision %s was synced, and no revert pull request can be opened: %s. %s\n\n",
		code(req.Gate), code(req.Cluster), code(req.Failing), why.short, why.why)
	b.WriteString(warning)
	writeFacts(&b, req)
	writeFiles(&b, "Files concerned", why.files)
	if req.LastGood != "" {
		writeByHand(&b, req, id, why.files)
	}
	writeFailures(&b, req)
	return bound(b.String())
}

// writeByHand gives the commands that a person would start with.
func writeByHand(b *strings.Builder, req gitops.RevertRequest, id identity, files []string) {
	paths := ""
	for _, f := range files[:min(len(files), maxFiles)] {
		paths += " " + shell(f)
	}
	if paths != "" {
		paths = " --" + paths
	}
	branch := strings.Replace(id.branch, "syncgate/revert/", "revert-by-hand/", 1)
	b.WriteString("### By hand\n\n" + fenced(strings.Join([]string{
		"git fetch origin",
		"git switch --create " + branch + " " + shell("origin/"+req.Base),
		"git diff --binary --full-index " + req.Failing + " " + req.LastGood + paths + " | git apply --3way --index",
		"# mend the conflicts, then:",
		"git add --all && git commit && git push --set-upstream origin " + branch,
	}, "\n")))
}

func clusterComment(req gitops.RevertRequest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Revision %s did not pass on cluster %s either.\n\n", code(req.Failing), code(req.Cluster))
	writeFacts(&b, req)
	writeFailures(&b, req)
	return bound(b.String())
}

func conflictComment(req gitops.RevertRequest, id identity, files []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Since this was opened, %s has changed so that it does not merge any more. The branch is left as it is; merge %s into it and mend these files, or close this pull request.\n\n",
		code(req.Base), code(req.Base))
	writeFiles(&b, "Files in conflict", files)
	b.WriteString(fenced(strings.Join([]string{
		"git fetch origin",
		"git switch " + id.branch,
		"git merge " + shell("origin/"+req.Base),
	}, "\n")))
	return bound(b.String())
}

func settledComment(why string) string {
	return "A later attempt of this revision passed, so this is closed.\n\n" + fenced(cut(why, maxReason))
}

func writeFacts(b *strings.Builder, req gitops.RevertRequest) {
	good, backup := "none known", "none was proved: make sure that there is one before you go back"
	if req.LastGood != "" {
		good = code(req.LastGood)
	}
	if req.Backup != "" {
		backup = code(oneLine(req.Backup, maxReason))
	}
	fmt.Fprintf(b, "- Last good revision on %s: %s\n- Backup to restore from: %s\n", code(req.Cluster), good, backup)
	if req.RunURL != "" {
		fmt.Fprintf(b, "- Run: %s\n", link(req.RunURL))
	}
	b.WriteByte('\n')
}

func writeFiles(b *strings.Builder, head string, files []string) {
	if len(files) == 0 {
		return
	}
	fmt.Fprintf(b, "### %s\n\n", head)
	for _, f := range files[:min(len(files), maxFiles)] {
		fmt.Fprintf(b, "- %s\n", code(cut(f, 300)))
	}
	if more := len(files) - maxFiles; more > 0 {
		fmt.Fprintf(b, "- and %d more\n", more)
	}
	b.WriteByte('\n')
}

// writeFailures shares the room that is left among the failures.
func writeFailures(b *strings.Builder, req gitops.RevertRequest) {
	if len(req.Failures) == 0 {
		return
	}
	b.WriteString("### What did not pass\n\n")
	shown := req.Failures[:min(len(req.Failures), maxFailures)]
	for i, f := range shown {
		room := (maxBody - b.Len()) / (len(shown) - i)
		var one strings.Builder
		fmt.Fprintf(&one, "#### %s: %s\n\n", code(cut(oneLine(f.Name, 200), 200)), code(oneLine(f.Status, 40)))
		if f.Reason != "" {
			one.WriteString(fenced(cut(f.Reason, min(maxReason, max(200, room/2)))))
		}
		if len(f.Evidence) > 0 {
			one.WriteString(fenced(cutLines(f.Evidence, room-one.Len()-200)))
		}
		b.WriteString(one.String())
	}
	if more := len(req.Failures) - len(shown); more > 0 {
		fmt.Fprintf(b, "And %d more checks did not pass.\n", more)
	}
}
