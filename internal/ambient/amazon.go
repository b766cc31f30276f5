package ambient

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
)

// Amazon reads the machine's AWS configuration: environment, shared files, the role of the pod, the task or the machine.
func Amazon(ctx context.Context, load ...func(*config.LoadOptions) error) (aws.Config, error) {
	load = append([]func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}, load...)
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("reading the machine's AWS configuration: %w: %w", ErrNone, err)
	}
	cfg.Credentials = amazonKeys{cfg.Credentials}
	return cfg, nil
}

// amazonKeys marks errors with what they amount to.
type amazonKeys struct{ aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (a amazonKeys) Retrieve(ctx context.Context) (aws.Credentials, error) {
	keys, err := a.CredentialsProvider.Retrieve(ctx)
	if err == nil || ctx.Err() != nil {
		return keys, err
	}
	if isIMDS(err) {
		return keys, fmt.Errorf("%w: %w", ErrNone, err)
	}
	return keys, fmt.Errorf("%w: %w", amazonFailure(err), &amazonError{err})
}

// amazonError says of a chain of errors its innermost, which is what helps.
type amazonError struct{ chain error }

func (e *amazonError) Error() string {
	err := e.chain
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}

func (e *amazonError) Unwrap() error { return e.chain }

// isIMDS says that the last resort was tried, the service of machines at Amazon, which isn't there on others.
func isIMDS(err error) bool {
	var operation *smithy.OperationError
	for e := err; errors.As(e, &operation); e = operation.Unwrap() {
		if operation.Service() == imds.ServiceID {
			return true
		}
	}
	return false
}

func amazonFailure(err error) error {
	var reply interface{ HTTPStatusCode() int }
	switch {
	case errors.As(err, &reply) && !busy(reply.HTTPStatusCode()) && reply.HTTPStatusCode() != 0:
		return ErrRefused
	case reply != nil, isNetwork(err):
		return ErrUnavailable
	}
	return ErrNone
}
