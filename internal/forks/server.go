package forks

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/proa-ml/proa/internal/proc"
)

// Server starts a process for each kind of order, and has it fork.
type Server struct {
	dir  string
	most int

	mu      sync.Mutex
	closed  bool
	made    int
	clock   int
	offer   *Offer
	origins map[string]*origin
	serving sync.WaitGroup
	sockets []*os.File
}

// origin is a process that forks. It is there if control is.
type origin struct {
	control *os.File
	// process is nil if it is somebody else's to end.
	process *proc.Process
	dir     string
	used    int
	// deaths counts the times that it was found dead.
	deaths int
}

var (
	_ Forker = (*Server)(nil)
	_ Forker = (*Client)(nil)
)

// NewServer makes a server whose processes have their temporary files in dir; most is how many it keeps.
func NewServer(dir string, most int) *Server {
	return &Server{dir: dir, most: most, origins: map[string]*origin{}}
}

// Fork implements Forker.
func (s *Server) Fork(o Order, output io.Writer) (*proc.Process, error) {
	p, parcel, err := pack(o, output)
	if err != nil {
		return nil, err
	}
	defer parcel.close()
	if err := s.deliver(o, parcel); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// deliver passes a parcel on to the right process, which is started if it isn't there.
func (s *Server) deliver(o Order, p parcel) error {
	key, err := o.key()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return os.ErrClosed
	}
	for {
		from, err := s.origin(key, o)
		if err != nil {
			return err
		}
		if err = send(from.control, p.files()...); err == nil {
			return nil
		}
		if from.deaths++; from.deaths > 1 {
			return fmt.Errorf("asking for a fork: %w", err)
		}
		from.end()
	}
}

// origin returns the process for a key. The lock is held.
func (s *Server) origin(key string, o Order) (*origin, error) {
	from := s.origins[key]
	if from == nil {
		s.makeRoom()
		from = &origin{}
		s.origins[key] = from
	}
	s.clock++
	from.used = s.clock
	if from.control != nil {
		return from, nil
	}
	if err := s.makeFolder(from); err != nil {
		return nil, fmt.Errorf("making the folder of a process to fork from: %w", err)
	}
	if s.takeOffer(from, o) {
		return from, nil
	}
	if err := from.start(o); err != nil {
		return nil, fmt.Errorf("starting a process to fork from: %w", err)
	}
	return from, nil
}

// makeRoom ends what was not used for the longest time, if there are as many as may be. Their forks go on.
func (s *Server) makeRoom() {
	for len(s.origins) >= s.most {
		oldest := ""
		for key, from := range s.origins {
			if oldest == "" || from.used < s.origins[oldest].used {
				oldest = key
			}
		}
		s.origins[oldest].end()
		delete(s.origins, oldest)
	}
}

// makeFolder makes the folder of a process's temporary files.
func (s *Server) makeFolder(from *origin) error {
	s.made++
	from.dir = filepath.Join(s.dir, strconv.Itoa(s.made))
	for _, sub := range []string{"tmp", "home"} {
		if err := os.MkdirAll(filepath.Join(from.dir, sub), 0o700); err != nil {
			return err
		}
	}
	return nil
}

func (from *origin) start(o Order) error {
	near, far, err := pair()
	if err != nil {
		return err
	}
	defer func() { _ = far.Close() }()
	env := []string{numberEnv + "=3"}
	for name, value := range from.env(o) {
		env = append(env, name+"="+value)
	}
	from.process, err = proc.Start(proc.Command{
		Path: o.Path, Args: o.Args, Dir: o.Dir, Env: env, Output: io.Discard,
		Files: []*os.File{far}, DieWithParent: true,
	})
	if err != nil {
		return errors.Join(err, near.Close())
	}
	from.control = near
	return nil
}

// env is what the steps have in common, with folders in the places of those that each of them has of its own.
func (from *origin) env(o Order) map[string]string {
	env := maps.Clone(o.Env)
	for name, sub := range map[string]string{"TMPDIR": "tmp", "HOME": "home"} {
		if _, own := o.Own[name]; own {
			env[name] = filepath.Join(from.dir, sub)
		}
	}
	return env
}

// end ends a process, but not what it has forked.
func (from *origin) end() {
	if from.control == nil {
		return
	}
	_ = from.control.Close()
	if from.process != nil {
		from.process.Kill()
		<-from.process.Done()
	}
	_ = os.RemoveAll(from.dir)
	from.control, from.process = nil, nil
}

// Listen returns a socket for the Clients of other processes, which inherit it.
func (s *Server) Listen() (*os.File, error) {
	near, far, err := pair()
	if err != nil {
		return nil, fmt.Errorf("making a socket for forks: %w", err)
	}
	s.mu.Lock()
	s.sockets = append(s.sockets, near, far)
	s.mu.Unlock()
	s.serving.Go(func() {
		for {
			p, err := receive(near)
			if errors.Is(err, syscall.EBADMSG) {
				continue
			}
			if err != nil {
				return
			}
			if o, err := readOrder(p.order); err == nil {
				// Whoever asked sees by the end of the connection that nobody has taken it.
				_ = s.deliver(o, p)
			}
			p.close()
		}
	})
	return far, nil
}

// Clear ends the processes to fork from.
func (s *Server) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, from := range s.origins {
		from.end()
	}
	clear(s.origins)
}

// Close ends the processes to fork from, and the serving of clients.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for _, socket := range s.sockets {
		shut(socket)
	}
	s.mu.Unlock()
	s.serving.Wait()
	s.Clear()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.offer != nil {
		_ = s.offer.Socket.Close()
		s.offer = nil
	}
	for _, socket := range s.sockets {
		_ = socket.Close()
	}
	s.sockets = nil
}

// Client asks another process's Server.
type Client struct{ socket *os.File }

// NewClient returns a client that uses a socket which Listen has returned.
func NewClient(socket *os.File) *Client { return &Client{socket} }

// Fork implements Forker.
func (c *Client) Fork(o Order, output io.Writer) (*proc.Process, error) {
	p, parcel, err := pack(o, output)
	if err != nil {
		return nil, err
	}
	defer parcel.close()
	if err := send(c.socket, parcel.files()...); err != nil {
		p.Kill()
		return nil, fmt.Errorf("asking for a fork: %w", err)
	}
	return p, nil
}
