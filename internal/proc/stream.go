package proc

import (
	"io"
	"os"
	"time"
)

// outputWait bounds the wait for the end of the output when all that could be killed was killed: somebody else may
// hold the pipe still.
const outputWait = 2 * time.Second

// stream is a pipe from the child to a writer.
type stream struct {
	to          io.Writer
	read, write *os.File
	done        chan struct{}
}

func newStream(to io.Writer) (*stream, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &stream{to: to, read: r, write: w, done: make(chan struct{})}, nil
}

// copy begins to copy, when the child has its end of the pipe.
func (s *stream) copy() {
	_ = s.write.Close()
	s.drain()
}

// drain begins to copy, when the other end of the pipe is somebody else's business.
func (s *stream) drain() {
	go func() {
		defer close(s.done)
		if _, err := io.Copy(onlyWriter{s.to}, s.read); err != nil {
			_, _ = io.Copy(io.Discard, s.read)
		}
	}()
}

// finish waits for the rest of the output.
func (s *stream) finish() {
	_ = s.read.SetReadDeadline(time.Now().Add(outputWait))
	<-s.done
	_ = s.read.Close()
}

func (s *stream) close() {
	_ = s.read.Close()
	_ = s.write.Close()
}

// onlyWriter hides a writer's other powers, so that copying is done in chunks as they come.
type onlyWriter struct{ io.Writer }
