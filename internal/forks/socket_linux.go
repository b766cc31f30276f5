package forks

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// files is how many descriptors go with a message: connection, output and order.
const files = 3

// pair returns two connected sockets that keep messages apart and tell when the other end is gone.
func pair() (near, far *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "forks"), os.NewFile(uintptr(fds[1]), "forks"), nil
}

// send passes files on, or a mere sign of life. The receiver has descriptors of its own.
func send(socket *os.File, files ...*os.File) error {
	var rights []byte
	if len(files) > 0 {
		var fds []int
		for _, file := range files {
			fds = append(fds, int(file.Fd()))
		}
		rights = unix.UnixRights(fds...)
	}
	for {
		err := unix.Sendmsg(int(socket.Fd()), []byte{'f'}, rights, nil, unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("sendmsg", err)
		}
	}
}

// receive waits for a parcel. It returns os.ErrClosed when nobody can send one any more.
func receive(socket *os.File) (parcel, error) {
	space := make([]byte, unix.CmsgSpace(files*4))
	n, used := 0, 0
	for {
		var err error
		n, used, _, _, err = unix.Recvmsg(int(socket.Fd()), make([]byte, 1), space, unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return parcel{}, os.NewSyscallError("recvmsg", err)
		}
		break
	}
	if n == 0 {
		return parcel{}, os.ErrClosed
	}
	messages, err := unix.ParseSocketControlMessage(space[:used])
	if err != nil || len(messages) != 1 {
		return parcel{}, fmt.Errorf("a message about a fork came without its files: %w", errors.Join(err, syscall.EBADMSG))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != files {
		return parcel{}, fmt.Errorf("a message about a fork has %d files instead of %d: %w", len(fds), files, errors.Join(err, syscall.EBADMSG))
	}
	p := parcel{order: os.NewFile(uintptr(fds[2]), "order")}
	p.Connection, p.Output = os.NewFile(uintptr(fds[0]), "connection"), os.NewFile(uintptr(fds[1]), "output")
	return p, nil
}

// shut ends a receive that is under way on the other end of a pair, or on the socket itself.
func shut(socket *os.File) {
	_ = unix.Shutdown(int(socket.Fd()), unix.SHUT_RDWR)
}

// anonymous returns a file without a name.
func anonymous(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
