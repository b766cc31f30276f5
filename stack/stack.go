// Package stack holds stacks as data: which components a user has registered, which of them form a stack, and which
// stack is active. It reads and writes the files that keep them, and knows nothing about what a flavor needs or does.
package stack

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is a kind of component.
type Kind string

// The kinds of components.
const (
	Orchestrator      Kind = "orchestrator"
	ArtifactStore     Kind = "artifact-store"
	MetadataStore     Kind = "metadata-store"
	ContainerRegistry Kind = "container-registry"
	ImageBuilder      Kind = "image-builder"
	SecretsManager    Kind = "secrets-manager"
)

// Kinds lists all kinds in the order in which they are shown.
func Kinds() []Kind {
	return []Kind{Orchestrator, ArtifactStore, MetadataStore, ContainerRegistry, ImageBuilder, SecretsManager}
}

// Required says whether every stack has a component of this kind.
func (k Kind) Required() bool {
	return k == Orchestrator || k == ArtifactStore || k == MetadataStore
}

// Words is the kind as prose: "artifact store".
func (k Kind) Words() string { return strings.ReplaceAll(string(k), "-", " ") }

// Plural is the kind as prose for several: "artifact stores".
func (k Kind) Plural() string {
	words := k.Words()
	if strings.HasSuffix(words, "y") {
		return strings.TrimSuffix(words, "y") + "ies"
	}
	return words + "s"
}

// Article is the kind as prose with its article: "an artifact store".
func (k Kind) Article() string { return article(k.Words()) }

func article(words string) string {
	if words != "" && strings.ContainsRune("aeiou", rune(words[0])) {
		return "an " + words
	}
	return "a " + words
}

// Component is one registered component. Attributes are texts; the flavor's schema gives them types and meaning.
type Component struct {
	Kind       Kind              `json:"kind"`
	Name       string            `json:"name"`
	Flavor     string            `json:"flavor"`
	Attributes map[string]string `json:"attributes,omitempty"`
	// Revealed says that the attributes are what they were references to, so that none of them is one. Nothing keeps such a
	// component but a run's own secret.
	Revealed bool `json:"revealed,omitempty"`
	// BuiltIn components exist without being registered and can't be changed.
	BuiltIn bool `json:"-"`
}

// Clone returns a copy that shares nothing with c.
func (c Component) Clone() Component {
	c.Attributes = maps.Clone(c.Attributes)
	return c
}

// Stack is a named set of components: at most one name for each kind.
type Stack struct {
	Name       string          `json:"name"`
	Components map[Kind]string `json:"components"`
	BuiltIn    bool            `json:"-"`
}

// Clone returns a copy that shares nothing with s.
func (s Stack) Clone() Stack {
	s.Components = maps.Clone(s.Components)
	return s
}

// Resolved is a stack with its components in place of their names: all that a run has to know, as one value.
type Resolved struct {
	Name       string             `json:"name"`
	Components map[Kind]Component `json:"components"`
}

// Error is a mistake in what the user configured: what is wrong and, in Hint, what to type next.
type Error struct {
	Text string
	Hint string
}

func (e *Error) Error() string { return e.Text }

// Mistake makes an Error with its hint.
func Mistake(hint, format string, args ...any) *Error {
	return &Error{Text: fmt.Sprintf(format, args...), Hint: hint}
}

// longestName is how many characters a name may have.
const longestName = 128

// CheckName says what is wrong with the name of a stack or a component; what is "stack" or the kind in words.
func CheckName(what, name string) error {
	shown := name
	if utf8.RuneCountInString(name) > longestName {
		shown = string([]rune(name)[:20]) + "..."
	}
	bad := func(why string) error {
		return Mistake("use letters, digits, '-', '_' or '.', such as my-"+strings.ReplaceAll(what, " ", "-"),
			"%q can't be the name of %s: %s", shown, article(what), why)
	}
	switch {
	case name == "":
		return bad("it is empty")
	case shown != name:
		return bad(fmt.Sprintf("it is longer than %d characters", longestName))
	case !utf8.ValidString(name):
		return bad("it is not UTF-8")
	case strings.HasPrefix(name, "-"):
		return bad("it begins with a dash")
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) || r == '/' || r == '\\' }):
		return bad("it holds a space, a slash or an invisible character")
	}
	return nil
}

// sorted returns a map's keys in order.
func sorted[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
