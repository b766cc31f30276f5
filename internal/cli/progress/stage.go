package progress

import (
	"fmt"
	"slices"
	"time"

	imagedriver "github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/inspect"
)

// Stage is a piece of work before the steps, such as the build of an image.
type Stage struct {
	view    *View
	name    string
	phase   string
	detail  string
	started time.Time
	// waiting is why the stage waits, since when, and what of it plain lines have told.
	waiting string
	since   time.Time
	told    string
}

var (
	_ imagedriver.Progress = (*Stage)(nil)
	_ imagedriver.Noter    = (*Stage)(nil)
)

// Stage begins a stage. It has to be ended with Done.
func (v *View) Stage(name string) *Stage {
	s := &Stage{view: v, name: name, started: v.opts.Now()}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stages = append(v.stages, s)
	v.touch()
	return s
}

// Phase implements image/driver.Progress.
func (s *Stage) Phase(name string) {
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	s.phase, s.detail = name, ""
	if s.view.opts.Live {
		s.view.touch()
		return
	}
	s.view.say(s.name + ": " + name)
}

// Detail implements image/driver.Progress. Away from a terminal it is not shown: a log doesn't want every percent.
func (s *Stage) Detail(text string) {
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	s.detail = text
	s.view.touch()
}

// Note implements image/driver.Noter: it stays, and is a line of its own.
func (s *Stage) Note(text string) {
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	s.view.say(s.name + ": " + text)
}

// Waiting tells why the stage waits.
func (s *Stage) Waiting(reason string) {
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	if s.waiting == "" {
		s.since = s.view.opts.Now()
	}
	s.waiting, s.phase, s.detail = reason, reason, ""
	s.view.touch()
}

// Done ends the stage; a summary that is not empty is printed with the time it took.
func (s *Stage) Done(summary string) {
	v := s.view
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stages = slices.DeleteFunc(v.stages, func(other *Stage) bool { return other == s })
	if summary == "" {
		v.touch()
		return
	}
	v.say(fmt.Sprintf("%s: %s in %s", s.name, summary, inspect.Duration(v.opts.Now().Sub(s.started))))
}

func (s *Stage) text() string {
	text := fmt.Sprintf("%s %s", s.name, inspect.Duration(s.view.opts.Now().Sub(s.started)))
	if s.phase != "" {
		text += ": " + s.phase
	}
	if s.detail != "" {
		text += " (" + s.detail + ")"
	}
	return text
}
