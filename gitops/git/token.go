package git

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

const maxTokenBytes = 64 << 10

// TokenFile reads a token from a file each time it is asked, so that a rotated
// token is taken up at once. Space around the token is left out.
func TokenFile(path string) func(ctx context.Context) (string, error) {
	return func(context.Context) (string, error) {
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("read token file: %w", err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxTokenBytes+1))
		if err != nil {
			return "", fmt.Errorf("read token file %s: %w", path, err)
		}
		token := strings.TrimSpace(string(b))
		switch {
		case len(b) > maxTokenBytes:
			return "", fmt.Errorf("read token file %s: expected at most %d bytes", path, maxTokenBytes)
		case token == "":
			return "", fmt.Errorf("read token file %s: expected a token, found nothing", path)
		case strings.ContainsAny(token, "\r\n\x00"):
			return "", fmt.Errorf("read token file %s: expected one line", path)
		}
		return token, nil
	}
}
