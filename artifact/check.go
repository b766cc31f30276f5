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
		return fmt.Errorf("%s lets an object be created twice, so two attempts of a step could both count: its server must honour If-None-Match (or ifGenerationMatch)", s.place)
	}
	got, err := s.Get(ctx, key)
	if err == nil && !bytes.Equal(got, data) {
		err = fmt.Errorf("reading %q in %s: %w", key, s.place, ErrCorrupt)
	}
	return err
}

// advice says what the user can do about a service's errors.
type advice struct {
	// service is what should answer at the endpoint.
	denied, noBucket, service string
}

func s3Advice() advice {
	return advice{
		denied:   "check the store's key and secret (or the machine's AWS credentials), its region, and that they may read, write, list and delete in the bucket",
		noBucket: "create the bucket, or correct its name in the store's path",
		service:  "an S3 server's",
	}
}

func gcpAdvice() advice {
	return advice{
		denied:   "check the store's service_account_key (or the machine's Google credentials), and that the account may read, create, list and delete objects in the bucket (the role Storage Object Admin)",
		noBucket: "create the bucket, or correct its name in the store's path",
		service:  "Google Cloud Storage's",
	}
}

func azureAdvice() advice {
	return advice{
		denied:   "check the store's account_name and account_key, sas_token or connection_string (or the machine's Azure identity), and that they may read, write, list and delete in the container (the role Storage Blob Data Contributor)",
		noBucket: "create the container, or correct its name in the store's path",
		service:  "Azure Blob Storage's",
	}
}

// remedy says what the user can do about err.
func (s *Store) remedy(err error) string {
	switch {
	case s.root != "" && errors.Is(err, ErrDenied):
		return "; make the folder writable, or choose another path"
	case hasExpired(err):
		return "; its session is over: give the store a new key, secret and token, or none of them, and it uses the machine's own, which are renewed"
	case errors.Is(err, ErrDenied):
		return "; " + s.advice.denied
	case errors.Is(err, ErrNoBucket):
		return "; " + s.advice.noBucket
	case errors.Is(err, ErrUnavailable):
		return "; check that the endpoint is right, and that the server runs and can be reached from here"
	case isCertificate(err):
		return "; check whether the endpoint is http:// or https://, and that its certificate is trusted here"
	case s.advice.service != "":
		return "; check that the endpoint is " + s.advice.service
	}
	return ""
}
