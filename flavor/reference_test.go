package flavor_test

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/secrets"
	"github.com/proa-ml/proa/secrets/local"
	"github.com/proa-ml/proa/stack"
)

// shop is a catalogue whose one store checks its attributes in words that repeat them.
func shop() flavor.Catalogue {
	repeating := func(value string) error {
		if strings.HasPrefix(value, "good") {
			return nil
		}
		return errors.New("it is " + value)
	}
	return flavor.Catalogue{{
		Kind: stack.ArtifactStore, Name: "shop",
		Attributes: []flavor.Attribute{
			{Name: "open", Type: flavor.Text, Check: repeating}, {Name: "number", Type: flavor.Int}, {Name: "closed", Type: flavor.Text, Secret: true},
			{Name: "login", Type: flavor.Secret, Keys: map[string]string{"user": "open", "pass": "closed"}},
		},
	}}
}

func stackWith(attributes map[string]string) stack.Resolved {
	return stack.Resolved{Name: "s", Components: map[stack.Kind]stack.Component{
		stack.ArtifactStore: {Kind: stack.ArtifactStore, Name: "a", Flavor: "shop", Attributes: attributes},
	}}
}

func manager(t *testing.T) func(context.Context) (*secrets.Manager, error) {
	t.Helper()
	m := secrets.New(local.New(local.Config{Path: filepath.Join(t.TempDir(), "secrets.json")}, local.Options{Rand: rand.Reader}), "m")
	for name, values := range map[string]map[string]string{
		"right": {"user": "good-user", "pass": "{{looks.like-one}}", "number": "7"},
		"wrong": {"user": "the-canary", "number": "the-canary"},
	} {
		if err := m.Create(t.Context(), name, values); err != nil {
			t.Fatal(err)
		}
	}
	return func(context.Context) (*secrets.Manager, error) { return m, nil }
}

func TestReveal(t *testing.T) {
	for name, c := range map[string]struct{ given, want map[string]string }{
		"none":            {map[string]string{"open": "good"}, map[string]string{"open": "good"}},
		"references":      {map[string]string{"open": "{{right.user}}", "number": "{{right.number}}", "closed": "mine"}, map[string]string{"open": "good-user", "number": "7", "closed": "mine"}},
		"like references": {map[string]string{"closed": "{{right.pass}}"}, map[string]string{"closed": "{{looks.like-one}}"}},
	} {
		t.Run(name, func(t *testing.T) {
			revealed, err := shop().Reveal(t.Context(), stackWith(c.given), manager(t))
			if err != nil {
				t.Fatal(err)
			}
			component := revealed.Components[stack.ArtifactStore]
			if diff := cmp.Diff(c.want, component.Attributes); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			settings, err := shop().Settings(component)
			if err != nil {
				t.Fatalf("what was revealed doesn't pass again: %v", err)
			}
			for key, want := range c.want {
				if settings[key] != want {
					t.Errorf("the setting %s is %q", key, settings[key])
				}
			}
		})
	}
}

// TestRevealIsSilent has values that are wrong: the errors don't repeat them, though the checks do.
func TestRevealIsSilent(t *testing.T) {
	for name, c := range map[string]struct {
		given map[string]string
		want  string
	}{
		"check":         {map[string]string{"open": "{{wrong.user}}"}, `"open" can't be ***`},
		"type":          {map[string]string{"number": "{{wrong.number}}"}, `"number" can't be ***: it must be a whole number`},
		"missing key":   {map[string]string{"open": "{{wrong.user}}", "closed": "{{wrong.pass}}"}, `lacks the key "pass" of the secret "wrong"`},
		"whole":         {map[string]string{"login": "wrong"}, `the secret "wrong" has a key "number"`},
		"missing whole": {map[string]string{"login": "nothing"}, `lacks the secret "nothing"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := shop().Reveal(t.Context(), stackWith(c.given), manager(t))
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestRevealLeavesTheStackAlone has the same stack revealed twice.
func TestRevealLeavesTheStackAlone(t *testing.T) {
	s, open := stackWith(map[string]string{"closed": "{{right.user}}"}), manager(t)
	if _, err := shop().Reveal(t.Context(), s, open); err != nil {
		t.Fatal(err)
	}
	if got := s.Components[stack.ArtifactStore].Attributes["closed"]; got != "{{right.user}}" {
		t.Errorf("the stack itself now holds %q", got)
	}
	never := func(context.Context) (*secrets.Manager, error) { return nil, errors.New("it was asked") }
	if _, err := shop().Reveal(t.Context(), s, never, stack.MetadataStore); err != nil {
		t.Errorf("of another kind: %v", err)
	}
}
