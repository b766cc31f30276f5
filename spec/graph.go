package spec

import (
	"container/heap"
	"slices"
	"sort"
)

// Needs returns the names of the steps that must have succeeded before s starts: those its inputs come from and those it
// runs after, without repetition, sorted.
func (s *Step) Needs() []string {
	var needs []string
	for _, in := range s.Inputs {
		if in.Step != "" {
			needs = append(needs, in.Step)
		}
	}
	needs = append(needs, s.After...)
	slices.Sort(needs)
	return slices.Compact(needs)
}

// Order returns the indices of the steps in topological order: of those that are ready, the first in the spec goes first.
// Steps on a cycle, and those that wait for them, are left out.
func (p *Pipeline) Order() []int {
	dependents := map[string][]int{}
	missing := make([]int, len(p.Steps))
	ready := &indices{}
	for i := range p.Steps {
		needs := p.Steps[i].Needs()
		missing[i] = len(needs)
		for _, need := range needs {
			dependents[need] = append(dependents[need], i)
		}
		if len(needs) == 0 {
			heap.Push(ready, i)
		}
	}
	order := make([]int, 0, len(p.Steps))
	for ready.Len() > 0 {
		i := heap.Pop(ready).(int)
		order = append(order, i)
		for _, j := range dependents[p.Steps[i].Name] {
			if missing[j]--; missing[j] == 0 {
				heap.Push(ready, j)
			}
		}
	}
	return order
}

// indices is a heap of ints, the smallest first.
type indices struct{ sort.IntSlice }

func (h *indices) Push(x any) { h.IntSlice = append(h.IntSlice, x.(int)) }

func (h *indices) Pop() any {
	last := len(h.IntSlice) - 1
	x := h.IntSlice[last]
	h.IntSlice = h.IntSlice[:last]
	return x
}

// Cycle returns the names along one cycle, the first repeated at the end, or nil if the graph has none.
func (p *Pipeline) Cycle() []string {
	onCycle := map[string][]string{}
	order := p.Order()
	if len(order) == len(p.Steps) {
		return nil
	}
	placed := make([]bool, len(p.Steps))
	for _, i := range order {
		placed[i] = true
	}
	for i := range p.Steps {
		if !placed[i] {
			onCycle[p.Steps[i].Name] = p.Steps[i].Needs()
		}
	}
	// Every step left over needs another one left over, so walking along needs must come back to a step seen before.
	var path []string
	at := sortedNames(onCycle)[0]
	for !slices.Contains(path, at) {
		path = append(path, at)
		for _, need := range onCycle[at] {
			if _, left := onCycle[need]; left {
				at = need
				break
			}
		}
	}
	cycle := append(path[slices.Index(path, at):], at)
	slices.Reverse(cycle)
	return cycle
}
