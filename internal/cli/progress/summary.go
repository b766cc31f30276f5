package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/run"
)

// Summary ends the view with the whole tree, the run's name and how long it took since began.
func (v *View) Summary(began time.Time) {
	v.mu.Lock()
	v.flushAll()
	if v.opts.Live {
		_, _ = io.WriteString(v.w, v.erase())
	}
	v.closed = true
	status := run.Pending
	if v.model != nil {
		status = v.model.status
		columns := 0
		if v.opts.Size != nil {
			columns, _ = v.opts.Size()
		}
		if columns == 0 {
			columns = 1 << 16
		}
		for _, line := range v.tree(columns, 1<<30) {
			_, _ = fmt.Fprintln(v.w, line)
		}
	}
	color := map[run.Status]string{run.Succeeded: green, run.Failed: red, run.Cancelled: yellow}[status]
	text := fmt.Sprintf("Run %s %s in %s", v.name, v.paint(color, string(status)), inspect.Duration(v.opts.Now().Sub(began)))
	_, _ = fmt.Fprintln(v.w, text)
	v.mu.Unlock()
	v.finish()
}

// erase takes the block at the bottom away.
func (v *View) erase() string {
	if v.drawn == 0 {
		return ""
	}
	lines := v.drawn
	v.drawn = 0
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", lines)
}
