package plan

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/proa-ml/proa/spec"
)

// defaultMemoryFactor is what memory is multiplied by when the policy doesn't say.
const defaultMemoryFactor = 2

// ladder lists the amounts of memory, in bytes, that successive attempts have: from first to the policy's most, each the
// policy's factor times the one before.
func ladder(first string, policy spec.OnOOM) ([]int64, error) {
	amount, err := memoryBytes(first)
	if err != nil {
		return nil, fmt.Errorf("resources.memory: %w", err)
	}
	most, err := memoryBytes(policy.MaxMemory)
	if err != nil {
		return nil, fmt.Errorf("max_memory: %w", err)
	}
	if most <= amount {
		return nil, fmt.Errorf("max_memory is %s, which is not more than the step's own %s", policy.MaxMemory, first)
	}
	factor := policy.MemoryFactor
	if factor == 0 {
		factor = defaultMemoryFactor
	}
	rungs := []int64{amount}
	for amount < most {
		amount = int64(math.Min(math.Ceil(float64(amount)*factor), float64(most)))
		rungs = append(rungs, amount)
	}
	return rungs, nil
}

// units are the suffixes of quantities of memory in Kubernetes notation.
var units = map[string]float64{
	"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50,
}

// memoryBytes reads a quantity of memory in Kubernetes notation.
func memoryBytes(quantity string) (int64, error) {
	number := strings.TrimRight(quantity, "kKMGTPi")
	unit, known := units[quantity[len(number):]]
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || !known || value <= 0 || value*unit > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is not an amount of memory such as \"512Mi\" or \"2Gi\"", quantity)
	}
	return int64(value * unit), nil
}
