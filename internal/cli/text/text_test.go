package text

import "testing"

func TestColumns(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		clip  string // to four columns
	}{
		{"", 0, ""},
		{"abcd", 4, "abcd"},
		{"größer", 6, "grö…"},
		{"数据集合", 8, "数…"},
		{"a数据", 5, "a数…"},
		{"👉 x", 4, "👉 x"},
		{"e\u0301e\u0301e\u0301e\u0301", 4, "e\u0301e\u0301e\u0301e\u0301"},
		{"ab cd", 5, "ab…"},
	} {
		if got := Width(c.text); got != c.width {
			t.Errorf("%q takes %d columns, want %d", c.text, got, c.width)
		}
		clipped := Clip(c.text, 4)
		if clipped != c.clip || Width(clipped) > 4 {
			t.Errorf("%q is cut to %q, want %q", c.text, clipped, c.clip)
		}
		if c.width <= 9 && Width(Pad(c.text, 9)) != 9 {
			t.Errorf("%q is padded to %q", c.text, Pad(c.text, 9))
		}
	}
}
