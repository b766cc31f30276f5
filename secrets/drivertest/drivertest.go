// Package drivertest is the conformance suite of secrets managers: what package secrets relies on, held by every driver.
package drivertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/proa-ml/proa/secrets/driver"
)

// Run tests a driver. open opens the same, first empty, store each time it is called in one test.
func Run(t *testing.T, open func(t *testing.T) func() driver.Store) {
	for name, test := range map[string]func(*testing.T, func() driver.Store){
		"empty":       testEmpty,
		"life":        testLife,
		"values":      testValues,
		"names":       testNames,
		"at once":     testAtOnce,
		"made once":   testMadeOnce,
		"refusal":     testRefusal,
		"not aliased": testNotAliased,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func testEmpty(t *testing.T, open func() driver.Store) {
	store := open()
	names, err := store.Names(t.Context())
	if err != nil || len(names) > 0 {
		t.Errorf("an empty store lists %v, %v", names, err)
	}
	for doing, err := range map[string]error{
		"get":    second(store.Get(t.Context(), "a")),
		"update": store.Update(t.Context(), "a", func(map[string]string) error { return nil }),
		"delete": store.Delete(t.Context(), "a"),
	} {
		if !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("%s: %v, not ErrNotFound", doing, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func testLife(t *testing.T, open func() driver.Store) {
	ctx := t.Context()
	must(t, open().Create(ctx, "a", map[string]string{"x": "1", "y": "2"}))
	if err := open().Create(ctx, "a", map[string]string{"x": "other"}); !errors.Is(err, driver.ErrExists) {
		t.Errorf("creating it again: %v, not ErrExists", err)
	}
	must(t, open().Create(ctx, "b", map[string]string{"z": "3"}))
	must(t, open().Update(ctx, "a", func(values map[string]string) error {
		delete(values, "x")
		values["y"] = "22"
		values["w"] = "4"
		return nil
	}))
	holds(t, open(), "a", map[string]string{"y": "22", "w": "4"})
	must(t, open().Delete(ctx, "a"))
	if _, err := open().Get(ctx, "a"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("after its end: %v", err)
	}
	holds(t, open(), "b", map[string]string{"z": "3"})
}

// Awkward are values that quoting, escaping and formatting get wrong.
func Awkward() map[string]string {
	return map[string]string{
		"quotes": `a'b"c` + "`d`", "newlines": "one\ntwo\r\nthree\n", "percent": "100%s %d %%", "dollar": "$HOME ${x} $(y)",
		"json": `{"a":"b"}`, "reference": "{{a.b}}", "at": "@file", "spaces": "  x\t", "slash": `\n\\`, "unicode": "größe 秘密 🔑",
		"empty": "", "yaml": "- a: &b *c", "long": strings.Repeat("x", 100_000),
	}
}

func testValues(t *testing.T, open func() driver.Store) {
	must(t, open().Create(t.Context(), "awkward", Awkward()))
	holds(t, open(), "awkward", Awkward())
}

func testNames(t *testing.T, open func() driver.Store) {
	want := []string{"A", "UPPER_and_lower", "a", "a-b", "a_b", strings.Repeat("n", 128)}
	for _, name := range want {
		must(t, open().Create(t.Context(), name, map[string]string{"UPPER": name, "with.dot-and_more": "1"}))
	}
	got, err := open().Names(t.Context())
	must(t, err)
	if !slices.IsSorted(got) {
		t.Errorf("the names are not sorted: %v", got)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for _, name := range want {
		holds(t, open(), name, map[string]string{"UPPER": name, "with.dot-and_more": "1"})
	}
}

// testAtOnce has many writers change one secret.
func testAtOnce(t *testing.T, open func() driver.Store) {
	const writers = 8
	must(t, open().Create(t.Context(), "a", map[string]string{"first": "1"}))
	want := map[string]string{"first": "1"}
	var group sync.WaitGroup
	for i := range writers {
		key := fmt.Sprintf("k%d", i)
		want[key] = "v"
		group.Go(func() {
			err := open().Update(t.Context(), "a", func(values map[string]string) error {
				values[key] = "v"
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	holds(t, open(), "a", want)
}

// testMadeOnce has many make the same secret: one succeeds.
func testMadeOnce(t *testing.T, open func() driver.Store) {
	const writers = 8
	made := make(chan int, writers)
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			err := open().Create(t.Context(), "a", map[string]string{"by": fmt.Sprint(i)})
			switch {
			case err == nil:
				made <- i
			case !errors.Is(err, driver.ErrExists):
				t.Error(err)
			}
		})
	}
	group.Wait()
	close(made)
	winner, ok := <-made
	if _, two := <-made; !ok || two {
		t.Fatalf("none or more than one made it")
	}
	holds(t, open(), "a", map[string]string{"by": fmt.Sprint(winner)})
}

func testRefusal(t *testing.T, open func() driver.Store) {
	no := errors.New("no")
	must(t, open().Create(t.Context(), "a", map[string]string{"x": "1"}))
	err := open().Update(t.Context(), "a", func(values map[string]string) error {
		values["x"] = "2"
		return no
	})
	if !errors.Is(err, no) {
		t.Errorf("got %v, not the change's error", err)
	}
	holds(t, open(), "a", map[string]string{"x": "1"})
}

func testNotAliased(t *testing.T, open func() driver.Store) {
	store, values := open(), map[string]string{"x": "1"}
	must(t, store.Create(t.Context(), "a", values))
	values["x"] = "changed by the caller"
	got, err := store.Get(t.Context(), "a")
	must(t, err)
	got["x"] = "changed by a reader"
	holds(t, store, "a", map[string]string{"x": "1"})
}

func holds(t *testing.T, store driver.Store, name string, want map[string]string) {
	t.Helper()
	got, err := store.Get(t.Context(), name)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("secret %s (-want +got):\n%s", name, diff)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
