package kit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/proa-ml/proa/internal/cli/fault"
)

// Agree asks a yes-or-no question; anything but yes is an error that says that nothing was done. Without a terminal there
// is nobody to ask, which is an error that names the flag to give instead.
func (k *Kit) Agree(ctx context.Context, question, flag string) error {
	if !k.InTerminal {
		return fault.New(fault.Usage, "add "+flag, "this has to be confirmed, and there is no terminal to ask on: %s", question)
	}
	answer, err := k.ask(ctx, question+" [y/N] ")
	if err != nil {
		return err
	}
	if answer = strings.ToLower(answer); answer != "y" && answer != "yes" {
		return fault.New(fault.Cancelled, "", "nothing was done")
	}
	return nil
}

// Ask asks for a line of text on the terminal.
func (k *Kit) Ask(ctx context.Context, question string) (string, error) {
	return k.ask(ctx, question+" ")
}

// AskSecret asks for a line of text that doesn't appear on the terminal.
func (k *Kit) AskSecret(ctx context.Context, question string) (string, error) {
	if k.Hide != nil {
		show, err := k.Hide()
		if err != nil {
			return "", fault.New(fault.Infrastructure, "give the value as @FILE or @- instead", "hiding what is typed: %w", err)
		}
		defer func() {
			show()
			k.Statusf("")
		}()
	}
	return k.ask(ctx, question+" ")
}

// AskPassphrase asks for the passphrase of the secrets once, or twice if it is a new one, and remembers it.
func (k *Kit) AskPassphrase(ctx context.Context, anew bool) (string, error) {
	k.asking.Lock()
	defer k.asking.Unlock()
	if k.passphrase != nil {
		return *k.passphrase, nil
	}
	passphrase, err := k.AskSecret(ctx, "Passphrase of the secrets:")
	if err != nil {
		return "", err
	}
	if anew {
		again, err := k.AskSecret(ctx, "The same again:")
		switch {
		case err != nil:
			return "", err
		case again != passphrase:
			return "", fault.New(fault.Usage, "", "the two passphrases are not the same: nothing was done")
		case passphrase == "":
			return "", fault.New(fault.Usage, "", "the passphrase is empty: nothing was done")
		}
	}
	k.passphrase = &passphrase
	return passphrase, nil
}

// ask reads an answer, until ctx ends. The standard input is left to the reader then: nothing else reads it any more.
func (k *Kit) ask(ctx context.Context, prompt string) (string, error) {
	_, _ = io.WriteString(k.Err, prompt)
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := readLine(k.In)
		answers <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		k.Statusf("")
		return "", fault.New(fault.Cancelled, "", "interrupted: nothing was done")
	case a := <-answers:
		if errors.Is(a.err, io.EOF) && a.line == "" {
			k.Statusf("")
			return "", fault.New(fault.Cancelled, "", "the input has ended: nothing was done")
		}
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			return "", fmt.Errorf("reading the answer: %w", a.err)
		}
		return a.line, nil
	}
}

// readLine reads one line and not a byte more, so that the next question finds its answer.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for one := make([]byte, 1); ; {
		n, err := r.Read(one)
		switch {
		case n == 1 && one[0] == '\n':
			return strings.TrimSuffix(string(line), "\r"), nil
		case n == 1:
			line = append(line, one[0])
		}
		if err != nil {
			return string(line), err
		}
	}
}
