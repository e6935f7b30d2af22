package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/gate"
	"github.com/syncgate/syncgate/policies/packs"
)

// newRulesCommand is "syncgate rules".
func newRulesCommand() *cobra.Command {
	var root, output string
	var all bool
	cmd := &cobra.Command{
		Use:   "rules [PATH...]",
		Short: "List the rules, and where each comes from",
		Long: `List the rules that the Gates under the PATHs ask, by default those under the
current folder: the built-in ones that they turn on, their own, and those of
their packs. With --all, list every rule there is without any Gate.`,
		Example: `  syncgate rules
  syncgate rules apps/mattermost --output json
  syncgate rules --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != formatTable && output != formatJSON {
				return cli.Usage(fmt.Errorf("--output: expected table or json, found %q", output))
			}
			list, err := allRules()
			if !all {
				list, err = rulesUnder(root, args)
			}
			if err != nil {
				return err
			}
			return writeRules(cmd.OutOrStdout(), output, list)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&output, "output", "o", formatTable, "table or json")
	f.BoolVar(&all, "all", false, "every built-in rule, and those of every built-in pack")
	f.StringVar(&root, "root", "", "the repository's root (default: the nearest folder above the first PATH with .git, else the current folder)")
	return cmd
}

const (
	formatTable = "table"
	formatJSON  = "json"
)

// gateRules are the rules of one Gate, or of none.
type gateRules struct {
	Gate  string              `json:"gate,omitempty"`
	File  string              `json:"file,omitempty"`
	Rules []policies.RuleInfo `json:"rules"`
}

func allRules() ([]gateRules, error) {
	list := policies.BuiltInRules()
	for _, name := range packs.Names() {
		p, err := packs.Load(name)
		if err != nil {
			return nil, err
		}
		list = append(list, policies.PackRules(p)...)
	}
	return []gateRules{{Rules: list}}, nil
}

func rulesUnder(root string, args []string) ([]gateRules, error) {
	repo, paths, err := cli.OpenRepository(root, args)
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	var files []string
	for _, p := range paths {
		found, err := gate.Find(repo.FS(), p)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	files = slices.Compact(files)
	if len(files) == 0 {
		return nil, fmt.Errorf("list rules: expected a file %s under %s, found none; name the folder that has it, or list every rule with --all", gate.FileName, strings.Join(paths, ", "))
	}
	var list []gateRules
	for _, file := range files {
		g, err := gate.Load(repo.FS(), file)
		if err != nil {
			return nil, err
		}
		list = append(list, gateRules{Gate: g.Metadata.Name, File: file, Rules: policies.RulesOf(g)})
	}
	return list, nil
}

func writeRules(w io.Writer, output string, list []gateRules) error {
	if output == formatJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	for i, g := range list {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if g.Gate != "" {
			fmt.Fprintf(w, "%s  %s\n", g.Gate, g.File)
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "RULE\tORIGIN\tOF A CHANGE\tASKS")
		for _, r := range g.Rules {
			change := ""
			if r.OfChange {
				change = "yes"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.ID, r.Origin, change, printable(r.Asks))
		}
		if err := t.Flush(); err != nil {
			return fmt.Errorf("write rules: %w", err)
		}
	}
	return nil
}
