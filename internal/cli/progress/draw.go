package progress

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/text"
	"github.com/proa-ml/proa/run"
)

const dim, bold, red, green, yellow, cyan = text.Dim, text.Bold, text.Red, text.Green, text.Yellow, text.Cyan

func (v *View) paint(color, words string) string {
	if !v.opts.Color {
		return words
	}
	return text.Paint(color, words)
}

// colorOf gives every step a colour of its own.
func (v *View) colorOf(step string) string {
	palette := []string{"36", "35", "34", "33", "32", "96", "95", "94"}
	h := fnv.New32a()
	_, _ = h.Write([]byte(step))
	return palette[h.Sum32()%uint32(len(palette))]
}

// line is what has become of a step, as one line or, for a failure, several.
func (v *View) line(n *node) string {
	took := inspect.Duration(n.took(v.opts.Now()))
	switch n.status {
	case run.StepPending:
		return fmt.Sprintf("step %s is pending: %s", n.label, n.reason)
	case run.StepRunning:
		if n.attempt > 1 {
			return fmt.Sprintf("step %s started (attempt %d)", n.label, n.attempt)
		}
		return fmt.Sprintf("step %s started", n.label)
	case run.StepFromCache:
		return fmt.Sprintf("step %s is cached (run %s)", n.label, n.from)
	case run.StepSucceeded:
		return fmt.Sprintf("step %s finished in %s", n.label, took)
	case run.StepIsSkipped:
		return fmt.Sprintf("step %s is skipped because step %s failed", n.label, inspect.Label(n.because))
	case run.StepIsCancelled:
		return fmt.Sprintf("step %s is cancelled", n.label)
	case run.StepFailed:
		return v.failure(n)
	case run.StepWaiting:
		return v.retrying(n)
	}
	return ""
}

func (v *View) retrying(n *node) string {
	if n.retry == nil {
		return ""
	}
	wait := ""
	if left := n.retry.Sub(v.opts.Now()); left > 0 {
		wait = " in " + inspect.Duration(left)
	}
	message := "it failed"
	if n.failure != nil {
		message = fmt.Sprintf("%s: %s", n.failure.Kind, n.failure.Message)
	}
	return v.paint(yellow, fmt.Sprintf("step %s is tried again%s (%s)", n.label, wait, message))
}

// failure explains a failed step: kind, message, traceback, and where its log is.
func (v *View) failure(n *node) string {
	var b strings.Builder
	took := inspect.Duration(n.took(v.opts.Now()))
	b.WriteString(v.paint(red, fmt.Sprintf("step %s failed after %s", n.label, took)))
	if f := n.failure; f != nil {
		message := f.Message
		if f.Type != "" && !strings.HasPrefix(message, f.Type) {
			message = f.Type + ": " + message
		}
		fmt.Fprintf(&b, " (%s): %s", f.Kind, message)
		if trace := strings.TrimRight(f.Traceback, "\n"); trace != "" {
			b.WriteString("\n  " + strings.ReplaceAll(trace, "\n", "\n  "))
		}
		if f.Evidence != "" {
			b.WriteString("\n  known: " + f.Evidence)
		}
		if remedy := f.Kind.Remedy(); remedy != "" {
			b.WriteString("\n  -> " + remedy)
		}
	}
	fmt.Fprintf(&b, "\n  its log: proa runs logs %s %s", quote(v.name), quote(n.name))
	return b.String()
}

// quote makes a word safe for a shell.
func quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !strings.ContainsRune("-_.:/@", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// block is what stands at the bottom of a terminal: the stages that go on, and the tree of steps.
func (v *View) block() []string {
	columns, rows := 80, 24
	if v.opts.Size != nil {
		columns, rows = v.opts.Size()
	}
	var lines []string
	for _, s := range v.stages {
		lines = append(lines, v.clip(columns, v.spin(), cyan, s.text()))
	}
	if v.model != nil {
		lines = append(lines, v.tree(columns, rows-len(lines)-2)...)
	}
	return lines
}

// tree prints the steps; when they are too many, those that matter now.
func (v *View) tree(columns, rows int) []string {
	nodes := v.model.nodes
	hidden := 0
	if len(nodes) > rows {
		nodes, hidden = v.interesting(max(rows-1, 1))
	}
	name := 0
	for _, n := range nodes {
		name = max(name, 2*min(n.depth, 8)+text.Width(n.label))
	}
	var lines []string
	for _, n := range nodes {
		mark, color := v.mark(n)
		label := strings.Repeat("  ", min(n.depth, 8)) + n.label
		lines = append(lines, v.clip(columns, mark, color, text.Pad(label, min(name, columns/2))+"  "+v.state(n)))
	}
	if hidden > 0 {
		lines = append(lines, v.paint(dim, fmt.Sprintf("  and %d more: %s", hidden, v.counts())))
	}
	return lines
}

// interesting picks the steps to show: what runs, pends or failed first, then the latest that ended.
func (v *View) interesting(most int) (picked []*node, hidden int) {
	chosen := map[*node]bool{}
	for _, want := range []func(*node) bool{
		func(n *node) bool { return n.status == run.StepFailed || n.status == run.StepRunning },
		func(n *node) bool { return n.status == run.StepPending },
		func(n *node) bool { return n.status == run.StepWaiting },
		func(*node) bool { return true },
	} {
		for _, n := range v.model.nodes {
			if len(chosen) < most && want(n) {
				chosen[n] = true
			}
		}
	}
	for _, n := range v.model.nodes {
		if chosen[n] {
			picked = append(picked, n)
		}
	}
	return picked, len(v.model.nodes) - len(picked)
}

func (v *View) counts() string {
	count := map[run.StepStatus]int{}
	for _, n := range v.model.nodes {
		count[n.status]++
	}
	var parts []string
	for _, status := range []run.StepStatus{
		run.StepRunning, run.StepPending, run.StepWaiting, run.StepSucceeded, run.StepFromCache, run.StepFailed, run.StepIsSkipped, run.StepIsCancelled,
	} {
		if count[status] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[status], status))
		}
	}
	return strings.Join(parts, ", ")
}

func (v *View) mark(n *node) (mark, color string) {
	mark = inspect.Mark(string(n.status))
	switch n.status {
	case run.StepRunning:
		return v.spin(), cyan
	case run.StepPending:
		return "◌", yellow
	case run.StepSucceeded, run.StepFromCache:
		return mark, green
	case run.StepFailed:
		return mark, red
	case run.StepWaiting, run.StepIsSkipped, run.StepIsCancelled:
	}
	return mark, dim
}

func (v *View) spin() string {
	frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	return string(frames[v.frame%len(frames)])
}

// state is a step's status with what belongs to it.
func (v *View) state(n *node) string {
	text := string(n.status)
	if n.status == run.StepRunning || n.status.Final() && n.status != run.StepFromCache && !n.started.IsZero() {
		text += " " + inspect.Duration(n.took(v.opts.Now()))
	}
	if n.reason != "" {
		text += ": " + n.reason
	}
	if n.attempt > 1 {
		text += fmt.Sprintf(" (attempt %d)", n.attempt)
	}
	return text
}

// clip makes a line that fits the terminal: a wrapped one would break the redrawing.
func (v *View) clip(columns int, mark, color, words string) string {
	return v.paint(color, mark) + " " + text.Clip(words, max(columns-3, 10))
}
