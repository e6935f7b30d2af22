package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/policies/gate"
)

// newSchemaCommand is "syncgate schema".
func newSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of syncgate.yaml",
		Example: `  # for an editor that checks and completes syncgate.yaml
  syncgate schema > syncgate.schema.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema, err := gate.Schema()
			if err != nil {
				return err
			}
			if _, err := cmd.OutOrStdout().Write(schema); err != nil {
				return fmt.Errorf("write to stdout: %w", err)
			}
			return nil
		},
	}
}
