package drivertest

import (
	"fmt"
	"testing"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/step"
)

func testCacheClearing(t *testing.T, open func(t *testing.T) driver.Store) {
	s := open(t)
	l := lease(t, s, "a")
	want := map[string]driver.CacheEntry{}
	c := driver.Commit{Lease: l}
	for i := range 450 { // more than one statement has room for
		e := driver.CacheEntry{
			Key: fmt.Sprintf("sha256:%d", i), Run: "a", Step: "s", Created: noon(),
			Outputs: map[string]step.Artifact{"output": artifact(fmt.Sprintf("sha256:%d", i))},
		}
		want[e.Key] = e
		c.Cache = append(c.Cache, e)
	}
	commit(t, s, c)
	// What was seen is deleted while the pages are read.
	got := map[string]driver.CacheEntry{}
	for after := ""; ; {
		page, err := s.Cache(t.Context(), after, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		var keys []string
		for _, e := range page {
			if _, twice := got[e.Key]; twice {
				t.Errorf("%s is listed twice", e.Key)
			}
			got[e.Key] = e
			keys = append(keys, e.Key)
		}
		if len(page) > 100 {
			t.Errorf("a page of 100 has %d", len(page))
		}
		after = page[len(page)-1].Key
		if err := s.DeleteCached(t.Context(), append(keys, "unknown")); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "the whole cache", got, want)
	commit(t, s, c)
	var all []string
	for key := range want {
		if key != "sha256:7" {
			all = append(all, key)
		}
	}
	if err := s.DeleteCached(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	left, err := s.Cache(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "what is left of the cache", left, []driver.CacheEntry{want["sha256:7"]})
	if err := s.DeleteCached(t.Context(), nil); err != nil {
		t.Error(err)
	}
}
