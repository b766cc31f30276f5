// Package progress tells what is being done, how long it took and, when it takes long, what is still being done.
package progress

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Printer writes one line for each thing done. It may be used by many goroutines.
type Printer struct {
	out   io.Writer
	now   func() time.Time
	start time.Time

	mu   sync.Mutex
	open map[string]time.Time
}

// New returns a printer whose clock starts now.
func New(out io.Writer, now func() time.Time) *Printer {
	return &Printer{out: out, now: now, start: now(), open: map[string]time.Time{}}
}

// Say writes a line.
func (p *Printer) Say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line(fmt.Sprintf(format, args...))
}

// Do runs f and writes what was done when it ends, with the time it took.
func (p *Printer) Do(what string, f func() error) error {
	begin := p.begin(what)
	err := f()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, what)
	took := seconds(p.now().Sub(begin))
	if err != nil {
		p.line(fmt.Sprintf("%s: FAILED after %s", what, took))
		return err
	}
	p.line(fmt.Sprintf("%s (%s)", what, took))
	return nil
}

func (p *Printer) begin(what string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.open[what] = now
	return now
}

// Watch says at each interval what is still being done, until ctx ends.
func (p *Printer) Watch(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.sayOpen()
		}
	}
}

func (p *Printer) sayOpen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.open) == 0 {
		return
	}
	var parts []string
	for what, begin := range p.open {
		parts = append(parts, fmt.Sprintf("%s (%s)", what, seconds(p.now().Sub(begin))))
	}
	slices.Sort(parts)
	p.line("... still: " + strings.Join(parts, ", "))
}

func (p *Printer) line(text string) {
	fmt.Fprintf(p.out, "[%6s] %s\n", seconds(p.now().Sub(p.start)), text)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
