package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/syncgate/syncgate/cmd/internal/cli"
	"github.com/syncgate/syncgate/hooks/client"
)

// personOptions are the flags of commands by which a person asks the gate
// server.
type personOptions struct {
	client.Person
	tokenFile, output string
}

func (o *personOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.Server, "server", "", "the gate server's address, https://host:port")
	f.StringVar(&o.tokenFile, "token-file", "", "file with your token of the cluster for audience syncgate; - is standard input")
	f.StringVar(&o.CAFile, "ca-file", "", "file with the CA certificates of the server, PEM (default: the system's)")
	f.StringVarP(&o.output, "output", "o", "text", "one of text, json")
	require(cmd, "server", "token-file")
}

// require marks flags that cmd cannot do without.
func require(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the name is misspelled
		}
	}
}

// person is who asks, with the token read.
func (o *personOptions) person(cmd *cobra.Command) (client.Person, error) {
	if o.output != "text" && o.output != "json" {
		return o.Person, cli.Usage(fmt.Errorf("--output: expected one of text, json, found %q", o.output))
	}
	token, err := readTokenFrom(o.tokenFile, cmd.InOrStdin())
	o.Token = token
	return o.Person, err
}

func readTokenFrom(file string, stdin io.Reader) (string, error) {
	if file == "-" {
		return client.ReadToken(stdin, "from standard input")
	}
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	defer f.Close()
	return client.ReadToken(f, file)
}

// refusedOr is exit code 1 where the server has said no, which is printed, and
// else the error: nobody could tell.
func refusedOr(cmd *cobra.Command, no string, err error) error {
	var refused *client.RefusalError
	if errors.As(err, &refused) && refused.Status < 500 && refused.Status != 429 {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "syncgate: %s: %v\n", no, refused)
		return exitError(exitNo)
	}
	return err
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
