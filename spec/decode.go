package spec

import (
	"encoding/json"
	"fmt"

	"github.com/proa-ml/proa/internal/strict"
)

// Decode reads a spec and validates it. Unknown fields, a version this program doesn't know, and everything [Validate]
// refuses are errors.
func Decode(data []byte) (*Pipeline, error) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(data, &head); err == nil {
		if head.APIVersion != APIVersion {
			return nil, fmt.Errorf("reading spec: apiVersion is %q, this proa reads %q: use an SDK and a proa of the same release", head.APIVersion, APIVersion)
		}
		if head.Kind != Kind {
			return nil, fmt.Errorf("reading spec: kind is %q, not %q", head.Kind, Kind)
		}
	}
	var p Pipeline
	if err := strict.JSON(data, &p); err != nil {
		return nil, fmt.Errorf("reading spec: %w", err)
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("reading spec: %w", err)
	}
	return &p, nil
}
