// Package testbed says, for tests, what becomes of one that lacks something of its surroundings: a cluster, a service, a
// program, or time.
package testbed

import (
	"os"
	"testing"
)

// Missing skips a test for want of something, and says what. Where PROA_REQUIRE_CLUSTER is 1, as in CI, nothing may be
// missing, and the test fails.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("PROA_REQUIRE_CLUSTER") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Long skips a test that takes minutes, unless it was asked for with PROA_TEST_CHAOS=1, as `make chaos` does.
func Long(t testing.TB) {
	t.Helper()
	if os.Getenv("PROA_TEST_CHAOS") != "1" {
		t.Skip("takes minutes, so it runs with PROA_TEST_CHAOS=1 only: `make chaos`")
	}
}
