package command

import (
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// hide turns the echo of the standard input's terminal off until show is called. Ctrl-C and line editing go on working.
func hide() (show func(), err error) {
	fd := int(os.Stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	settings, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	settings.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, setTermios, settings); err != nil {
		return nil, err
	}
	return func() { _ = term.Restore(fd, before) }, nil
}
