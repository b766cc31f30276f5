package memory_test

import (
	"testing"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/drivertest"
	"github.com/proa-ml/proa/metadata/memory"
)

func TestConformance(t *testing.T) {
	drivertest.Run(t, func(*testing.T) func(*testing.T) driver.Store {
		store := memory.New()
		return func(*testing.T) driver.Store { return store }
	})
}
