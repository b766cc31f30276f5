package artifact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// Check proves that the store can do what proa needs: create, not create again, read and delete an object. Its error says
// what is wrong and what to do about it.
func (s *Store) Check(ctx context.Context) error {
	if err := s.probe(ctx); err != nil {
		return fmt.Errorf("the artifact store can't be used: %w%s", err, s.remedy(err))
	}
	return nil
}

func (s *Store) probe(ctx context.Context) (err error) {
	key, data := fmt.Sprintf("probe/%s-%d", s.writer, s.probes.Add(1)), []byte("proa was here\n")
	if _, err := s.PutNew(ctx, key, data); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Delete(ctx, key)) }()
	again, err := s.PutNew(ctx, key, []byte("proa was here twice\n"))
	if err != nil {
		return err
	}
	if again {
		return fmt.Errorf("%s lets an object be created twice, so two attempts of a step could both count: its server must honour If-None-Match", s.place)
	}
	got, err := s.Get(ctx, key)
	if err == nil && !bytes.Equal(got, data) {
		err = fmt.Errorf("reading %q in %s: %w", key, s.place, ErrCorrupt)
	}
	return err
}

// remedy says what the user can do about err.
func (s *Store) remedy(err error) string {
	switch {
	case s.root != "" && errors.Is(err, ErrDenied):
		return "; make the folder writable, or choose another path"
	case errors.Is(err, ErrDenied):
		return "; check the store's key and secret (or the machine's AWS credentials), its region, and that they may read, write, list and delete in the bucket"
	case errors.Is(err, ErrNoBucket):
		return "; create the bucket, or correct its name in the store's path"
	case errors.Is(err, ErrUnavailable):
		return "; check that the endpoint is right, and that the server runs and can be reached from here"
	case isCertificate(err):
		return "; check whether the endpoint is http:// or https://, and that its certificate is trusted here"
	}
	if s.root == "" {
		return "; check that the endpoint is an S3 server's"
	}
	return ""
}
