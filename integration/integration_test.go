package integration

import (
	"errors"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestData(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	requirement := regexp.MustCompile(`^[a-z0-9-]+(>=[0-9.]+,<[0-9.]+)?$`)
	seen := map[string]bool{}
	for _, one := range all {
		for _, name := range append([]string{one.Name}, one.Aliases...) {
			if seen[fold(name)] {
				t.Errorf("%s: the name %s occurs twice", one.Name, name)
			}
			seen[fold(name)] = true
		}
		for _, r := range one.Requirements {
			if !requirement.MatchString(r) {
				t.Errorf("%s: %q is no requirement with a range", one.Name, r)
			}
		}
		complete := map[State]bool{BuiltIn: len(one.Flavors) > 0, Library: len(one.Requirements) > 0, Absent: one.Instead != ""}
		if !complete[one.State] || one.About == "" {
			t.Errorf("%s is not complete for its state %q", one.Name, one.State)
		}
	}
	if !slices.IsSortedFunc(all, func(a, b Integration) int { return cmpNames(a.Name, b.Name) }) {
		t.Error("the data is not sorted by name")
	}
}

func cmpNames(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

func TestRequirements(t *testing.T) {
	got, err := Requirements("Scikit-Learn", "kubernetes", "pandas", "sklearn")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"pandas>=1.4,<4", "scikit-learn>=1.0,<2"}, got); diff != "" {
		t.Error(diff)
	}
	var unknown *UnknownError
	if _, err := Requirements("sklern"); !errors.As(err, &unknown) || unknown.Nearest != "sklearn" {
		t.Errorf("got %v, want an unknown name near sklearn", err)
	}
	var absent *AbsentError
	if _, err := Requirements("seldon"); !errors.As(err, &absent) {
		t.Errorf("got %v, want an absent integration", err)
	}
}

func TestPackages(t *testing.T) {
	one := Integration{Requirements: []string{"datasets>=2.14,<5", "ipython"}}
	if diff := cmp.Diff([]string{"datasets", "ipython"}, one.Packages()); diff != "" {
		t.Error(diff)
	}
}
