package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/policies"
	"github.com/syncgate/syncgate/policies/packs"
	"github.com/syncgate/syncgate/policies/tree"
)

// newTestCommand is "syncgate test".
func newTestCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "test [PACK...]",
		Short: "Run the cases of packs: values in, findings out",
		Long: `Run the cases that packs carry: hold the values of each against the pack's rules,
and compare what is found with what the case wants.

PACK is the name of a built-in pack, or the path of a pack's file or of a folder
with pack.yaml in it. Without any, the built-in packs are tested.

Exit codes: 0 every case holds, 1 one does not, 2 could not tell (a pack that
cannot be read, a case that cannot be run, a pack without cases).`,
		Example: `  syncgate test
  syncgate test mattermost
  syncgate test packs/platform.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != formatTable && output != formatJSON {
				return cli.Usage(fmt.Errorf("--output: expected table or json, found %q", output))
			}
			if len(args) == 0 {
				args = packs.Names()
			}
			return runTest(cmd, args, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", formatTable, "table or json")
	return cmd
}

// packResult is what came of the cases of a pack.
type packResult struct {
	Pack  string                `json:"pack"`
	Cases []policies.CaseResult `json:"cases"`
	Error string                `json:"error,omitempty"`
}

func runTest(cmd *cobra.Command, args []string, output string) error {
	list := make([]packResult, 0, len(args))
	failed, unknown := false, false
	for _, word := range args {
		r := packResult{Pack: word}
		p, err := openPack(word)
		if err == nil {
			r.Pack = p.Name
			r.Cases, err = policies.TestPack(cmd.Context(), p)
		}
		if err == nil && len(r.Cases) == 0 {
			err = fmt.Errorf("test pack %s: expected cases in it, found none; write some: values in, findings out", word)
		}
		if err != nil {
			r.Error, unknown = err.Error(), true
		}
		for _, c := range r.Cases {
			failed = failed || len(c.Problems) > 0
		}
		list = append(list, r)
	}
	if err := writeTests(cmd.OutOrStdout(), output, list); err != nil {
		return err
	}
	switch {
	case unknown:
		return exitError(exitUnknown)
	case failed:
		return exitError(exitNo)
	}
	return nil
}

// openPack reads a pack by its name, or from a file or folder.
func openPack(word string) (*packs.Pack, error) {
	if !packs.IsPath(word) {
		return packs.Load(word)
	}
	abs, err := filepath.Abs(word)
	if err != nil {
		return nil, fmt.Errorf("find pack: %w", err)
	}
	root, err := os.OpenRoot(filepath.Dir(abs))
	if err != nil {
		return nil, fmt.Errorf("find pack: %w", err)
	}
	defer root.Close()
	return packs.NewLoader(tree.New(root.FS()), ".").Load("./" + filepath.Base(abs))
}

func writeTests(w io.Writer, output string, list []packResult) error {
	if output == formatJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	for _, r := range list {
		good := 0
		for _, c := range r.Cases {
			if len(c.Problems) == 0 {
				good++
				continue
			}
			fmt.Fprintf(w, "✗ %s: %s\n", printable(r.Pack), printable(c.Case))
			for _, p := range c.Problems {
				fmt.Fprintf(w, "    %s\n", printable(p))
			}
			for _, f := range c.Findings {
				fmt.Fprintf(w, "    found %s: %s\n", f.Rule, printable(strings.TrimSpace(f.Path+" "+f.Message)))
			}
		}
		if r.Error != "" {
			fmt.Fprintf(w, "? %s: %s\n", printable(r.Pack), strings.ReplaceAll(r.Error, "\n", "\n  "))
		}
		fmt.Fprintf(w, "%s: %d of %d cases hold\n", printable(r.Pack), good, len(r.Cases))
	}
	return nil
}

// printable is a text without what could steer a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
