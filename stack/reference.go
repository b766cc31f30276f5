package stack

import (
	"regexp"
	"strings"
)

// Reference points at a key of a secret. As an attribute's value, {{name.key}}, it stands for what the stack's secrets
// manager keeps there.
type Reference struct{ Secret, Key string }

func (r Reference) String() string { return "{{" + r.Secret + "." + r.Key + "}}" }

var (
	secretName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$`)
	secretKey  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
)

// ParseReference reads a reference. ok is false for any other text; an error is a text that was meant to be one.
func ParseReference(text string) (r Reference, ok bool, err error) {
	inner, begins := strings.CutPrefix(strings.TrimSpace(text), "{{")
	inner, ends := strings.CutSuffix(inner, "}}")
	if !begins || !ends || strings.ContainsAny(inner, "{}") {
		return Reference{}, false, nil
	}
	r.Secret, r.Key, _ = strings.Cut(strings.TrimSpace(inner), ".")
	if !secretName.MatchString(r.Secret) || !secretKey.MatchString(r.Key) {
		return Reference{}, false, Mistake("for example {{database.password}}; a value that looks like one itself has to be kept in a secret",
			"a reference to a secret is written {{name.key}}")
	}
	return r, true, nil
}

// CheckSecretName says what is wrong with the name of a secret.
func CheckSecretName(name string) error {
	if !secretName.MatchString(name) {
		return Mistake("for example database or aws-login",
			"%q can't be the name of a secret: it must be letters, digits, '-' and '_', begin with a letter or a digit, and be at most 128 long", name)
	}
	return nil
}

// CheckSecretKey says what is wrong with a key of a secret.
func CheckSecretKey(key string) error {
	if !secretKey.MatchString(key) {
		return Mistake("for example password or AWS_SECRET_ACCESS_KEY",
			"%q can't be a key of a secret: it must be letters, digits, '-', '_' and '.', begin with a letter, a digit or '_', and be at most 128 long", key)
	}
	return nil
}
