package proc

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrRefused is why an entrusted process never was.
var ErrRefused = errors.New("the keeper refused to start the process")

// Errand is what a keeper needs of this process. Both files are to be passed on, and then closed.
type Errand struct {
	// Connection is the keeper's end of the connection that tells of the process. Each byte that comes from it is the number
	// of a signal for the process's group; its end means that the process has to be killed. Each line that goes into it is
	// JSON: {"refused": "why"} and no more, or {"pid": 7} when the process is there and, when nothing of it is left,
	// {"status": 0, "wall": 1.5, "cpu": 0.1, "rss": 4096} with the status that wait gave, seconds, and bytes.
	Connection *os.File
	// Output is what the process's standard output and standard error have to be.
	Output *os.File
}

// Close closes both files.
func (e Errand) Close() {
	_ = e.Connection.Close()
	_ = e.Output.Close()
}

// ward is the near end of the connection to the keeper of a process.
type ward struct {
	connection net.Conn
	// known is closed when it is known whether the process is there: it is, or never will be.
	known chan struct{}
	// What follows is guarded by the process's lock.
	present   bool
	abandoned syscall.Signal
	refused   error
}

// Entrust makes a Process that somebody else, its keeper, starts and looks after as Start would. Wait for it and ask
// Refused whether it ever was. A signal that ends a process undoes the errand as long as the keeper has not begun it.
func Entrust(output io.Writer) (*Process, Errand, error) {
	s, err := newStream(output)
	if err != nil {
		return nil, Errand{}, err
	}
	near, far, err := connection()
	if err != nil {
		s.close()
		return nil, Errand{}, err
	}
	p := &Process{done: make(chan struct{}), output: []*stream{s}, ward: &ward{connection: near, known: make(chan struct{})}}
	s.drain()
	go p.follow(time.Now())
	return p, Errand{Connection: far, Output: s.write}, nil
}

// connection returns two ends, of which the first is this process's own.
func connection() (net.Conn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	file := os.NewFile(uintptr(fds[0]), "keeper")
	defer func() { _ = file.Close() }()
	far := os.NewFile(uintptr(fds[1]), "keeper")
	near, err := net.FileConn(file)
	if err != nil {
		return nil, nil, errors.Join(err, far.Close())
	}
	return near, far, nil
}

// signal passes a signal on. The process's lock is held.
func (w *ward) signal(sig syscall.Signal) error {
	switch {
	case w.present:
		_, err := w.connection.Write([]byte{byte(sig)})
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed) {
			return nil
		}
		return err
	case w.abandoned == 0 && (sig == syscall.SIGKILL || sig == syscall.SIGTERM):
		w.abandoned = sig
		return w.connection.Close()
	}
	return nil
}

// presence is how long what a keeper has told may take to be heard.
const presence = time.Second

// stop asks the process to end. One that was begun just now may be at work before its keeper's word of it is heard, and
// must not be taken for one that never was.
func (p *Process) stop() {
	timer := time.NewTimer(presence)
	defer timer.Stop()
	select {
	case <-p.ward.known:
	case <-timer.C:
	}
	_ = p.Signal(syscall.SIGTERM)
}

// news is one line of what a keeper tells.
type news struct {
	Refused string  `json:"refused"`
	PID     int     `json:"pid"`
	Status  *uint32 `json:"status"`
	Wall    float64 `json:"wall"`
	CPU     float64 `json:"cpu"`
	RSS     int64   `json:"rss"`
}

// follow reads what the keeper tells, to the end.
func (p *Process) follow(begin time.Time) {
	var last news
	for lines := bufio.NewScanner(p.ward.connection); lines.Scan(); {
		last = news{}
		if json.Unmarshal(lines.Bytes(), &last) == nil && last.PID > 0 {
			p.mu.Lock()
			if !p.ward.present && p.ward.abandoned == 0 {
				p.ward.present = true
				close(p.ward.known)
			}
			p.mu.Unlock()
		}
	}
	p.mu.Lock()
	p.gone = true
	if !p.ward.present {
		close(p.ward.known)
	}
	p.exit = p.ward.exit(last, begin)
	p.exit.Killed = p.killed
	p.mu.Unlock()
	_ = p.ward.connection.Close()
	for _, s := range p.output {
		s.finish()
	}
	close(p.done)
}

// exit says what the last that was heard means.
func (w *ward) exit(last news, begin time.Time) Exit {
	switch {
	case last.Status != nil:
		e := Exit{Wall: seconds(last.Wall), CPU: seconds(last.CPU), PeakRSS: last.RSS}
		status := syscall.WaitStatus(*last.Status)
		if e.Code = status.ExitStatus(); status.Signaled() {
			e.Code, e.Signal = 128+int(status.Signal()), status.Signal()
		}
		return e
	case w.abandoned != 0:
		return Exit{Code: 128 + int(w.abandoned), Signal: w.abandoned, Wall: time.Since(begin)}
	case w.present:
		// The keeper is gone, and the kernel has killed the process with it.
		return Exit{Code: 128 + int(syscall.SIGKILL), Signal: syscall.SIGKILL, Wall: time.Since(begin)}
	}
	w.refused = ErrRefused
	if last.Refused != "" {
		w.refused = refusal(last.Refused)
	}
	return Exit{Code: -1}
}

type refusal string

func (r refusal) Error() string { return ErrRefused.Error() + ": " + string(r) }

func (r refusal) Unwrap() error { return ErrRefused }

// Refused tells, after the end, why the process never was; nil if it was.
func (p *Process) Refused() error {
	if p.ward == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ward.refused
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
