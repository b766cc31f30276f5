package run

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/proa-ml/proa/step"
)

// evidence puts into one line what is known of an attempt's end besides its message.
func evidence(st *stepState, o step.Outcome) string {
	var facts []string
	if o.ExitCode >= 0 && !o.Started.IsZero() {
		facts = append(facts, fmt.Sprintf("exit code %d", o.ExitCode))
	}
	if o.Signal != "" {
		facts = append(facts, "signal "+o.Signal)
	}
	limit := ""
	if r := grown(st.Resources, st.memory()); r != nil {
		limit = r.Memory
	}
	switch used := o.Usage.PeakRSS; {
	case used > 0 && limit != "":
		facts = append(facts, fmt.Sprintf("its largest process used %s of the step's %s of memory", mebibytes(used), amount(limit)))
	case used > 0:
		facts = append(facts, fmt.Sprintf("its largest process used %s of memory", mebibytes(used)))
	case limit != "" && o.Failure.Kind == step.FailureOOM:
		facts = append(facts, fmt.Sprintf("the step may use %s of memory", amount(limit)))
	}
	return strings.Join(facts, "; ")
}

// amount writes a quantity of memory that was computed, which is a number of bytes, for people.
func amount(quantity string) string {
	if n, err := strconv.ParseInt(quantity, 10, 64); err == nil {
		return mebibytes(n)
	}
	return quantity
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", (n+1<<19)>>20) }

// lastLines returns the last few lines of a log, each of bearable length.
func lastLines(log []byte) string {
	const most, width = 10, 300
	lines := strings.Split(strings.TrimRight(strings.ToValidUTF8(string(log), "\uFFFD"), "\r\n \t"), "\n")
	lines = lines[max(0, len(lines)-most):]
	for i, line := range lines {
		if runes := []rune(line); len(runes) > width {
			lines[i] = string(runes[:width]) + "…"
		}
	}
	return strings.Join(lines, "\n")
}
