// Package strict decodes JSON that people write: an unknown field is an error that says where it is and which known
// field was probably meant.
package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sort"
	"strings"
)

// UnknownFieldError names a field that the document's type does not have.
type UnknownFieldError struct {
	// Path leads to the object that holds the field, such as "steps[2].retry"; empty for the document itself.
	Path  string
	Field string
	// Nearest is the known field that was probably meant; empty if none is near.
	Nearest string
	// Known lists the fields that object has, sorted.
	Known []string
}

func (e *UnknownFieldError) Error() string {
	where := "the document"
	if e.Path != "" {
		where = e.Path
	}
	if e.Nearest != "" {
		return fmt.Sprintf("unknown field %q in %s: did you mean %q?", e.Field, where, e.Nearest)
	}
	return fmt.Sprintf("unknown field %q in %s: known fields are %s", e.Field, where, strings.Join(e.Known, ", "))
}

// JSON decodes exactly one JSON value into v, which must be a pointer. Unknown fields, repeated and trailing values are
// errors, with the path or the line of what is wrong.
func JSON(data []byte, v any) error {
	if err := unknownFields(data, reflect.TypeOf(v).Elem(), ""); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(v); err != nil {
		return located(data, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("line %d: more text after the document's end", line(data, dec.InputOffset()))
	}
	return nil
}

// unknownFields looks for the first object key in data that t has no field for.
func unknownFields(data json.RawMessage, t reflect.Type, path string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return unknownInStruct(data, t, path)
	case reflect.Map:
		return unknownInMap(data, t, path)
	case reflect.Slice:
		return unknownInSlice(data, t, path)
	}
	return nil
}

func unknownInStruct(data json.RawMessage, t reflect.Type, path string) error {
	var object map[string]json.RawMessage
	if json.Unmarshal(data, &object) != nil {
		return nil // not an object: decoding reports that better
	}
	fields := fieldsOf(t)
	for _, key := range sortedKeys(object) {
		field, ok := fields[key]
		if !ok {
			known := sortedKeys(fields)
			return &UnknownFieldError{Path: path, Field: key, Nearest: Nearest(key, known), Known: known}
		}
		if err := unknownFields(object[key], field, join(path, key)); err != nil {
			return err
		}
	}
	return nil
}

func unknownInMap(data json.RawMessage, t reflect.Type, path string) error {
	var object map[string]json.RawMessage
	if json.Unmarshal(data, &object) != nil {
		return nil
	}
	for _, key := range sortedKeys(object) {
		if err := unknownFields(object[key], t.Elem(), join(path, key)); err != nil {
			return err
		}
	}
	return nil
}

func unknownInSlice(data json.RawMessage, t reflect.Type, path string) error {
	var list []json.RawMessage
	if json.Unmarshal(data, &list) != nil {
		return nil
	}
	for i, element := range list {
		if err := unknownFields(element, t.Elem(), fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	return nil
}

// fieldsOf returns the JSON names of a struct's fields and their types.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && !f.Anonymous && name != "-" {
			if name == "" {
				name = f.Name
			}
			fields[name] = f.Type
		}
	}
	return fields
}

// located adds the line to an error of package json.
func located(data []byte, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("line %d: %w", line(data, syntax.Offset), err)
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("line %d: %s must be a %s, not a %s", line(data, kind.Offset), kind.Field, kind.Type, kind.Value)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the document is cut off")
	}
	return err
}

func line(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(int(offset), len(data))], []byte("\n"))
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
