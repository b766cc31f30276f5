package drivertest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/proa-ml/proa/metadata/driver"
)

func testIdentity(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	if _, err := s.Pair(t.Context(), "", "artifacts"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("pairing a store without an identity: got %v, want ErrNotFound", err)
	}
	for _, c := range []struct{ proposed, want string }{{"", ""}, {"first", "first"}, {"second", "first"}, {"", "first"}} {
		wantIdentity(t, driver.Identity{ID: c.want})(s.Identity(t.Context(), c.proposed))
	}
	wantIdentity(t, driver.Identity{ID: "first"})(open(t).Identity(t.Context(), "third"))
}

func testPair(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	wantIdentity(t, driver.Identity{ID: "id"})(s.Identity(t.Context(), "id"))
	for _, c := range []struct{ from, to, want string }{
		{"", "", ""}, {"other", "a", ""}, {"", "a", "a"}, {"", "b", "a"}, {"a", "a", "a"}, {"b", "c", "a"}, {"a", "c", "c"}, {"c", "", ""}, {"", "d", "d"},
	} {
		want := driver.Identity{ID: "id", Artifacts: c.want}
		wantIdentity(t, want)(s.Pair(t.Context(), c.from, c.to))
		wantIdentity(t, want)(open(t).Identity(t.Context(), "x"))
	}
}

// testIdentityRace has several processes use a new store for the first time at once.
func testIdentityRace(t *testing.T, open func(t *testing.T) driver.Store) {
	const rivals = 6
	stores := []driver.Store{open(t), open(t), open(t)}
	var got [rivals]driver.Identity
	var group sync.WaitGroup
	for i := range rivals {
		group.Go(func() {
			s, name := stores[i%len(stores)], fmt.Sprint("rival ", i)
			if _, err := s.Identity(t.Context(), name); err != nil {
				t.Error(err)
				return
			}
			var err error
			if got[i], err = s.Pair(t.Context(), "", name); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, id := range got {
		if id != got[0] || id.ID == "" || id.Artifacts == "" {
			t.Errorf("one was told %+v and another %+v", got[0], id)
		}
	}
}

// wantIdentity checks an answer.
func wantIdentity(t *testing.T, want driver.Identity) func(driver.Identity, error) {
	t.Helper()
	return func(got driver.Identity, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("got %+v, error %v; want %+v", got, err, want)
		}
	}
}
