package validate

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/syncgate/syncgate/cmd/internal/cli"
)

// The programs of an answer: one reads it and writes it out, the other finds it.
const (
	frontProgram = "syncgate"
	// Program evaluates Gates, and is all commands of the command line.
	Program = "syncgate-cli"
)

// Programs tells two builds of the programs apart: by the linker's build IDs, which
// are hashes of all that went in, or else by their bytes. A version alone does not:
// two builds of a work in progress have the same. self is the program that asks: its
// file may have been replaced since it was started.
func Programs(self string) (string, error) {
	var both string
	for _, program := range []string{frontProgram, Program} {
		path, err := cli.Beside(program)
		if err != nil {
			return "", err
		}
		if program == self && runtime.GOOS == "linux" {
			path = "/proc/self/exe"
		}
		id, err := programID(path)
		if err != nil {
			return "", fmt.Errorf("find what %s was built from: %w", program, err)
		}
		both += id + " "
	}
	return both, nil
}

func programID(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if id := buildID(f); id != "" {
		return id, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// buildID is the linker's build ID of an ELF program, "" where there is none.
func buildID(r io.ReaderAt) string {
	f, err := elf.NewFile(r)
	if err != nil {
		return ""
	}
	section := f.Section(".note.go.buildid")
	if section == nil {
		return ""
	}
	// Three numbers of four bytes, the name "Go" in four, then the ID.
	const head, least = 16, 40
	data, err := section.Data()
	if err != nil || len(data) < head+least {
		return ""
	}
	return string(data[head:])
}
