package inspect

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/proa-ml/proa/plan"
)

// word is what a field of an image is called for people.
type word struct{ field, what string }

// words are those of all fields that are part of an environment: not what an image is called, where it is kept, and how the code
// gets into it.
func words() []word {
	return []word{
		{"base", "base image"}, {"platform", "platform"}, {"python", "python"}, {"dockerfile", "dockerfile"},
		{"buildContextRoot", "build context"}, {"buildOptions", "build option"}, {"aptPackages", "apt package"},
		{"requirements", "requirement"}, {"constraints", "constraint"}, {"lock", "lock file"}, {"indexOptions", "index option"},
		{"installer", "installer"}, {"installerArgs", "installer argument"}, {"buildSecrets", "build secret"},
		{"user", "user"}, {"environment", "variable"},
	}
}

// environment compares what a step runs in.
func (d *differ) environment(name string) []Change {
	a, b := d.a.steps[name], d.b.steps[name]
	pair := [2]string{a.image.Key, b.image.Key}
	shared, known := d.pairs[pair]
	if !known {
		shared = imageChanges(a.image, b.image)
		d.pairs[pair] = shared
	}
	c := changes(slices.Clone(shared))
	c.maps("variable", a.variables, b.variables)
	return c
}

func imageChanges(a, b plan.Image) []Change {
	x, y := fields(a), fields(b)
	for _, stacks := range []string{"base", "platform"} { // a run of processes knows only those that the pipeline names
		if x[stacks] == "" || y[stacks] == "" {
			delete(x, stacks)
			delete(y, stacks)
		}
	}
	c := changes{}
	for _, w := range words() {
		if x[w.field] != y[w.field] {
			c.maps(w.what, parts(x[w.field]), parts(y[w.field]))
		}
	}
	return c
}

// parts takes a field of an image to pieces that can be compared by name: a list of packages by the package, an object by its
// keys. What is in one piece has no name.
func parts(value string) map[string]string {
	all := map[string]string{}
	var list []string
	var object map[string]json.RawMessage
	switch {
	case value == "":
	case json.Unmarshal([]byte(value), &list) == nil:
		for _, one := range list {
			name := packageName(one)
			all[name] = strings.TrimSpace(all[name] + " " + one)
		}
	case json.Unmarshal([]byte(value), &object) == nil:
		return fields(object)
	default:
		all[""] = value
	}
	return all
}

var packageStart = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*`)

// packageName is the name that a requirement begins with, in its usual notation, or that of an option; the whole text if it begins
// otherwise.
func packageName(requirement string) string {
	name := packageStart.FindString(requirement)
	if strings.HasPrefix(requirement, "-") {
		end := strings.IndexAny(requirement+" ", " =")
		return requirement[:end]
	} else if name == "" {
		return requirement
	}
	return strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
}

// grouped puts together the steps whose environments differ in the same things.
func (d *differ) grouped(names []string) []EnvironmentDiff {
	var groups []EnvironmentDiff
	for _, name := range names {
		found := d.environments[name]
		if len(found) == 0 {
			continue
		}
		i := slices.IndexFunc(groups, func(g EnvironmentDiff) bool { return slices.EqualFunc(g.Changes, found, sameValues) })
		if i < 0 {
			groups = append(groups, EnvironmentDiff{Changes: found})
			i = len(groups) - 1
		}
		groups[i].Steps = append(groups[i].Steps, name)
	}
	return groups
}

func sameValues(x, y Change) bool {
	return x.What == y.What && x.Name == y.Name && x.A == y.A && x.B == y.B
}

// images are the digests of the images, which differ as soon as a file in them does; of several images, each with its steps.
func (d *differ) images() []Change {
	type pair struct{ a, b string }
	steps := map[pair][]string{}
	for _, name := range d.b.order {
		p := pair{d.a.ref(name), d.b.ref(name)}
		if p.a != p.b && d.inBoth(name) {
			steps[p] = append(steps[p], name)
		}
	}
	c := changes{}
	for _, p := range slices.SortedFunc(maps.Keys(steps), func(p, q pair) int { return strings.Compare(p.a+p.b, q.a+q.b) }) {
		name := ""
		if len(steps) > 1 {
			name = "of " + Names(steps[p], 3)
		}
		c.compare(whatImage, name, p.a, p.b)
	}
	return c
}

// ref is the reference of the image that a step runs in; empty if it runs as a process.
func (w whole) ref(name string) string { return w.plan.ImageRef(w.steps[name].plan.Image) }
