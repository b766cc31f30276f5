package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// row is one measured figure.
type row struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Baseline is what the same work costs without proa, measured in the same run; 0 if there is nothing to compare with.
	Baseline float64 `json:"baseline"`
	// Ratio is Value / Baseline; 0 without a baseline.
	Ratio float64 `json:"ratio"`
	// Goal is the bound that the project holds itself to, in words.
	Goal string `json:"goal,omitempty"`
	// Against says what the baseline is.
	Against string `json:"against,omitempty"`
}

// seconds makes a row of times in seconds.
func seconds(name string, value, baseline float64, against, goal string) row {
	r := row{Name: name, Value: value, Unit: "s", Baseline: baseline, Against: against, Goal: goal}
	if baseline > 0 {
		r.Ratio = value / baseline
	}
	return r
}

func writeJSON(path string, rows []row) error {
	data, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// markdown writes the table as it stands in the documentation.
func markdown(w io.Writer, rows []row) {
	fmt.Fprintln(w, "| what | proa | baseline | ratio | goal | baseline is |")
	fmt.Fprintln(w, "| --- | ---: | ---: | ---: | --- | --- |")
	for _, r := range rows {
		baseline, ratio := "", ""
		if r.Baseline > 0 {
			baseline, ratio = figure(r.Baseline, r.Unit), fmt.Sprintf("%.2f", r.Ratio)
		}
		fmt.Fprintf(w, "| `%s` | %s | %s | %s | %s | %s |\n", r.Name, figure(r.Value, r.Unit), baseline, ratio, r.Goal, r.Against)
	}
}

func figure(v float64, unit string) string {
	if unit == "s" && v < 1 {
		return fmt.Sprintf("%.0f ms", v*1000)
	}
	return strings.TrimSpace(fmt.Sprintf("%.2f %s", v, unit))
}

// marks delimit the generated part of docs/benchmarks.md.
const (
	beginMark = "<!-- begin table: written by `make bench` -->"
	endMark   = "<!-- end table -->"
)

// replaceTable puts the table between the marks of a document.
func replaceTable(path string, rows []row, note string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(data), beginMark)
	_, after, closed := strings.Cut(rest, endMark)
	if !ok || !closed {
		return fmt.Errorf("%s lacks the lines %q and %q", path, beginMark, endMark)
	}
	var table strings.Builder
	markdown(&table, rows)
	return os.WriteFile(path, []byte(before+beginMark+"\n\n"+note+"\n\n"+table.String()+"\n"+endMark+after), 0o644)
}
