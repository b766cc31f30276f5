package strict

import "strings"

// Nearest returns the element of known that is closest to word, or "" if none is close: at most a third of the word's
// letters, and at least one, may differ. Case, dashes and underscores don't count.
func Nearest(word string, known []string) string {
	if word == "" {
		return ""
	}
	best, limit := "", max(1, len(word)/3)
	for _, k := range known {
		if d := distance(fold(word), fold(k)); d <= limit {
			best, limit = k, d-1
		}
	}
	return best
}

func fold(s string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(s))
}

// distance is the Damerau-Levenshtein distance in runes (optimal string alignment: two letters swapped are one mistake).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	rows := make([][]int, len(s)+1)
	for i := range rows {
		rows[i] = make([]int, len(t)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(s); i++ {
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(s)][len(t)]
}
