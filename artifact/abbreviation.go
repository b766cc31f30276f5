package artifact

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"
)

// shortest is how many digits of a digest an abbreviation must have.
const shortest = 4

// Errors of abbreviated digests.
var (
	// ErrNoDigest: the text is neither a digest nor the beginning of one.
	ErrNoDigest = errors.New("not a digest")
	// ErrAmbiguous: more than one artifact begins so.
	ErrAmbiguous = errors.New("ambiguous")
)

// Complete returns the digest of the artifact that begins with an abbreviation, such as "sha256:1f0c" or "1f0c". A whole
// digest is returned as it is, whether there is such an artifact or not.
func (s *Store) Complete(ctx context.Context, abbreviation string) (string, error) {
	digits := strings.TrimPrefix(abbreviation, digestPrefix)
	if _, err := BlobKey(digestPrefix + digits); err == nil {
		return digestPrefix + digits, nil
	}
	if len(digits) < shortest || len(digits) > hex.EncodedLen(32) || strings.Trim(digits, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%q: %w: it looks like sha256: and 64 hexadecimal digits, of which the first %d or more are enough",
			abbreviation, ErrNoDigest, shortest)
	}
	keys, err := s.List(ctx, "blobs/sha256/"+digits[:2]+"/"+digits)
	if err != nil {
		return "", err
	}
	var found []string
	for _, key := range keys {
		digest := digestPrefix + path.Base(key)
		if _, err := s.manifest(ctx, digest); err == nil {
			found = append(found, digest)
		} else if Transient(err) || ctx.Err() != nil {
			return "", err
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("artifact %s: %w", abbreviation, ErrNotFound)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%q: %w: %s", abbreviation, ErrAmbiguous, strings.Join(found, ", "))
}
