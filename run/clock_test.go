package run_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/proa-ml/proa/run"
)

// The machine of the former coordinator may have a clock that is ahead by an hour. Its lease then seems to last as long, but
// it isn't renewed.
func TestLeaseOfAClockThatIsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := twoSteps(t, false)
		if _, err := l.metadata.Acquire(t.Context(), l.run.ID, "another", time.Now().Add(time.Hour), 15*time.Second, false); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		result := l.execute(run.Options{})
		if took := time.Since(began); result.Status != run.Succeeded || took > time.Minute {
			t.Errorf("the run %s after %s", result.Status, took)
		}
	})
}

// As long as its holder renews it, a lease is its holder's, whatever the clocks say.
func TestLeaseThatIsRenewedIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := twoSteps(t, false)
		began := time.Now()
		renew := func() {
			if _, err := l.metadata.Acquire(t.Context(), l.run.ID, "another", time.Now().Add(time.Hour), 15*time.Second, false); err != nil {
				t.Error(err)
			}
		}
		renew()
		go func() {
			for time.Since(began) < 10*time.Minute {
				time.Sleep(2 * time.Second)
				renew()
			}
		}()
		if result := l.execute(run.Options{}); result.Status != run.Succeeded || result.Started.Sub(began) < 10*time.Minute {
			t.Errorf("the run %s, started after %s", result.Status, result.Started.Sub(began))
		}
	})
}
