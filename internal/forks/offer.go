package forks

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// OfferEnv tells a program that it has inherited the socket of that number from a script, for an [Offer].
const OfferEnv = "PROA_ORIGIN"

// Offer is a process that can become one to fork from: a fork of the script itself, which has imported what the script
// imports, and nothing else (python/proa/origin.py). It ends when nobody holds the other end of its socket.
type Offer struct {
	Socket *os.File
	// Path is its interpreter, Dir the root of its source, and Environ its environment.
	Path, Dir string
	Environ   []string
}

// Offer has the server use a process for the first order that it fits, and lets it prepare itself. It belongs to the server
// from then on.
func (s *Server) Offer(o Offer) {
	_ = send(o.Socket) // whether it is there shows when it is wanted
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offer = &o
}

// takeOffer makes the offered process one to fork from, if there is one that is as good as a new one. The lock is held.
func (s *Server) takeOffer(from *origin, o Order) bool {
	if s.offer == nil || !s.offer.fits(o) {
		return false
	}
	socket := s.offer.Socket
	s.offer = nil
	if err := become(socket, from.env(o)); err != nil {
		_ = socket.Close()
		return false
	}
	from.control = socket
	return true
}

// fits reports whether a process that is started for an order would be the same.
func (f *Offer) fits(o Order) bool {
	if o.Path != f.Path || o.Dir != f.Dir || !Forks(o.Args) || len(o.Args) != 3 {
		return false
	}
	own := map[string]string{}
	for _, entry := range f.Environ {
		name, value, _ := strings.Cut(entry, "=")
		own[name] = value
	}
	for _, vars := range []map[string]string{own, o.Env} {
		for name := range vars {
			if own[name] != o.Env[name] && !adapts(name, o) {
				return false
			}
		}
	}
	return true
}

// adapts reports whether a process can take on another value of a variable after it was started: PYTHONPATH and
// PYTHONUNBUFFERED it knows how to follow, proa's own no library reads, and what is each step's own is in none's.
func adapts(name string, o Order) bool {
	_, own := o.Own[name]
	return own || name == "PYTHONPATH" || name == "PYTHONUNBUFFERED" || strings.HasPrefix(name, "PROA_")
}

// become tells an offered process which environment it is to have, in a file: it may be secret.
func become(socket *os.File, env map[string]string) (err error) {
	data, err := json.Marshal(env)
	if err != nil {
		return fmt.Errorf("encoding an environment: %w", err)
	}
	file, err := anonymous("environment")
	if err != nil {
		return fmt.Errorf("making a file for an environment: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.WriteAt(data, 0); err != nil {
		return fmt.Errorf("writing an environment: %w", err)
	}
	return send(socket, file)
}
