package e2e

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/proa-ml/proa/internal/testbed"
)

// TestChaosLarge runs pipelines with logs and outputs of gigabytes.
func TestChaosLarge(t *testing.T) {
	testbed.Long(t)
	requireCluster(t)
	testscript.Run(t, scripts(t, "large"))
}
