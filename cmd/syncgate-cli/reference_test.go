package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/cmd/internal/plugincmd"
)

var update = flag.Bool("update", false, "write docs/reference/cli.md in place of comparing with it")

const cliReference = "../../docs/reference/cli.md"

const cliIntro = `<!-- Made by ` + "`go test ./cmd/syncgate-cli -run Reference -update`" + ` from the commands in cmd/syncgate-cli. -->
# The command line

`

// TestReferenceIsCurrent keeps docs/reference/cli.md true to the commands.
func TestReferenceIsCurrent(t *testing.T) {
	var b strings.Builder
	b.WriteString(cliIntro)
	describe(t, &b, wholeCommand())
	got := b.String()
	if *update {
		if err := os.WriteFile(cliReference, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(cliReference)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is stale (-committed +commands); go test ./cmd/syncgate-cli -run Reference -update writes it anew:\n%s", cliReference, diff)
	}
}

// wholeCommand is "syncgate" with the commands of the programs that it becomes.
func wholeCommand() *cobra.Command {
	root := newRootCommand()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "cmp" {
			root.RemoveCommand(cmd)
		}
	}
	cmd := plugincmd.New()
	delete(cmd.Annotations, cobra.CommandDisplayNameAnnotation) // it stands in its place here
	root.AddCommand(cmd)
	return root
}

// describe writes a command and those below it.
func describe(t *testing.T, b *strings.Builder, cmd *cobra.Command) {
	t.Helper()
	if cmd.Short == "" {
		t.Errorf("%s has no short description", cmd.CommandPath())
	}
	fmt.Fprintf(b, "## %s\n\n", cmd.CommandPath())
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	fmt.Fprintf(b, "%s\n\n```\n%s\n```\n\n", text, cmd.UseLine())
	if cmd.Example != "" {
		fmt.Fprintf(b, "```console\n%s\n```\n\n", cmd.Example)
	}
	if cmd.HasSubCommands() {
		b.WriteString("| command | |\n|---|---|\n")
		for _, sub := range cmd.Commands() {
			fmt.Fprintf(b, "| [%s](#%s) | %s |\n", sub.Name(), strings.ReplaceAll(sub.CommandPath(), " ", "-"), sub.Short)
		}
		b.WriteString("\n")
	}
	flags(b, "Flags", cmd.LocalNonPersistentFlags())
	flags(b, "Flags of every command", cmd.PersistentFlags())
	for _, sub := range cmd.Commands() {
		describe(t, b, sub)
	}
}

func flags(b *strings.Builder, title string, set *pflag.FlagSet) {
	var rows strings.Builder
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		kind, usage := pflag.UnquoteUsage(f)
		def := f.DefValue
		if def != "" && def != "[]" && def != "0" && def != "false" {
			def = "`" + def + "`"
		} else {
			def = ""
		}
		if required := f.Annotations[cobra.BashCompOneRequiredFlag]; len(required) > 0 {
			def = "**required**"
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %s |\n", name, kind, def, strings.ReplaceAll(usage, "|", `\|`))
	})
	if rows.Len() > 0 {
		fmt.Fprintf(b, "%s:\n\n| flag | type | default | meaning |\n|---|---|---|---|\n%s\n", title, rows.String())
	}
}

// TestExitCodesAreTold holds the help of every command that can say no against
// the codes the program ends with.
func TestExitCodesAreTold(t *testing.T) {
	root := wholeCommand()
	if !strings.Contains(root.Long, "Exit codes of every command: 0 ") {
		t.Error("syncgate --help does not say its exit codes")
	}
	for _, name := range []string{"validate", "cmp", "hook"} {
		cmd, _, err := root.Find([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(cmd.Long, "Exit codes: 0 ") {
			t.Errorf("syncgate %s --help does not say its exit codes", name)
		}
	}
}

// TestGroupsNeedACommand: a group called alone, or with a word it does not
// know, must not end as if all were well.
func TestGroupsNeedACommand(t *testing.T) {
	var groups []*cobra.Command
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.HasSubCommands() {
			groups = append(groups, cmd)
		}
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(wholeCommand())
	if len(groups) < 3 {
		t.Fatalf("found %d groups of commands, expected syncgate, cmp and hook at least", len(groups))
	}
	for _, group := range groups {
		path := strings.Fields(group.CommandPath())[1:]
		for _, more := range [][]string{nil, {"nonsense"}} {
			args := append(append([]string{}, path...), more...)
			var out, errs strings.Builder
			if code := cli.Run(wholeCommand(), args, &out, &errs); code != exitUnknown {
				t.Errorf("syncgate %s: exit code %d, want %d", strings.Join(args, " "), code, exitUnknown)
			}
			if out.Len() > 0 || errs.Len() == 0 {
				t.Errorf("syncgate %s: %d bytes on stdout, %d on stderr", strings.Join(args, " "), out.Len(), errs.Len())
			}
		}
	}
}
