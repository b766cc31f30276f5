package orchestrator

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// MaxName is the longest name a DNS-1123 label, and so a cluster object and a label's value, may have.
const MaxName = 63

// AttemptName returns the name of one attempt of a step: a DNS-1123 label that is the same for the same arguments and,
// by 64 bits of hash, different for others, whatever text pipeline and step are. What is readable of it is for people.
func AttemptName(pipeline, run, step string, number int) string {
	n := strconv.Itoa(number)
	hash := sha256.New()
	for _, part := range []string{pipeline, run, step, n} {
		// The length keeps ("ab", "c") and ("a", "bc") apart.
		hash.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	sum := hex.EncodeToString(hash.Sum(nil)[:8])
	readable := Slug(pipeline, 18) + "-" + Slug(step, 22) + "-" + n
	if most := MaxName - 1 - len(sum); len(readable) > most {
		readable = strings.TrimRight(readable[:most], "-")
	}
	return readable + "-" + sum
}

// Slug returns what of a text fits in a DNS-1123 label of at most limit bytes: ASCII letters in lower case and digits, with
// one dash for anything between. It is never empty: a text of which nothing is left gives "x". Different texts may have
// the same slug.
func Slug(text string, limit int) string {
	var b strings.Builder
	for _, c := range strings.ToLower(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	s := b.String()
	if len(s) > limit {
		s = s[:limit]
	}
	if s = strings.TrimRight(s, "-"); s == "" {
		return "x"
	}
	return s
}
