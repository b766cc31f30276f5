package artifact

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"gocloud.dev/gcerrors"

	"github.com/proa-ml/proa/internal/ambient"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNotFound: there is no such object or artifact. A bucket that doesn't exist is ErrNoBucket instead.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable: the store can't be reached or is too busy now; the same call may succeed later.
	ErrUnavailable = errors.New("the artifact store is unavailable")
	// ErrDenied: the store refuses the credentials, or what they are used for.
	ErrDenied = errors.New("the artifact store denies access")
	// ErrNoBucket: the bucket doesn't exist.
	ErrNoBucket = errors.New("the bucket does not exist")
	// ErrCorrupt: what was read is not what was written.
	ErrCorrupt = errors.New("the stored content is damaged")
)

// Transient reports whether the call that gave err may succeed later without anybody's doing.
func Transient(err error) bool { return errors.Is(err, ErrUnavailable) }

// storeError is an error of the store: its kind, if known, and its cause in few words.
type storeError struct {
	doing string
	kind  error
	cause error
}

func (e *storeError) Error() string {
	cause := shorten(e.cause)
	switch {
	case e.kind == nil:
		return e.doing + ": " + cause
	case errors.Is(e.kind, ErrNotFound):
		return e.doing + ": " + e.kind.Error()
	}
	return fmt.Sprintf("%s: %v: %s", e.doing, e.kind, cause)
}

func (e *storeError) Unwrap() []error {
	if e.kind == nil {
		return []error{e.cause}
	}
	return []error{e.kind, e.cause}
}

// wrap says what was being done when err came up, and finds out its kind.
func (s *Store) wrap(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	var known *storeError
	if errors.As(err, &known) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	doing += " in " + s.place
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	}
	return &storeError{doing: doing, kind: kindOf(err), cause: err}
}

// kindOf returns the sentinel that err amounts to, or nil.
func kindOf(err error) error {
	switch {
	case errors.Is(err, ambient.ErrUnavailable):
		return ErrUnavailable
	case ambient.Is(err):
		return ErrDenied
	}
	if kind, is := kindOfGCP(err); is {
		return kind
	}
	if kind, is := kindOfAzure(err); is {
		return kind
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		if kind := kindOfCode(api.ErrorCode()); kind != nil {
			return kind
		}
		// The reply to a HEAD has no body to hold a code, so its code is made of the status. In any other reply that
		// means that it isn't S3's, and absence must not be believed of it.
		if api.ErrorCode() == "NotFound" && isHead(err) {
			return ErrNotFound
		}
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() > 0 {
		return kindOfStatus(response.HTTPStatusCode())
	}
	var name *net.DNSError
	switch {
	case errors.As(err, &name): // some drivers take a host that isn't there for an object that isn't
		return ErrUnavailable
	case gcerrors.Code(err) == gcerrors.NotFound, errors.Is(err, os.ErrNotExist):
		return ErrNotFound
	case errors.Is(err, os.ErrPermission), gcerrors.Code(err) == gcerrors.PermissionDenied:
		return ErrDenied
	case isCertificate(err):
		return nil
	case isNetwork(err):
		return ErrUnavailable
	}
	return nil
}

// kindOfCode knows the error codes of S3 and of the servers that speak it.
func kindOfCode(code string) error {
	switch code {
	case "NoSuchBucket":
		return ErrNoBucket
	case "NoSuchKey":
		return ErrNotFound
	case "AccessDenied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
		"InvalidSecurity", "XAdminUserNotFound", "AccountProblem", "AllAccessDisabled", "RequestTimeTooSkewed", "AuthorizationHeaderMalformed":
		return ErrDenied
	case "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "ThrottlingException",
		"RequestLimitExceeded", "TooManyRequests", "OperationAborted", "ConditionalRequestConflict":
		return ErrUnavailable
	}
	return nil
}

func isHead(err error) bool {
	var operation *smithy.OperationError
	return errors.As(err, &operation) && operation.Operation() == "HeadObject"
}

// hasExpired reports temporary keys whose time is over.
func hasExpired(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ExpiredToken"
}

// isConflict reports a conditional write that lost a race which nobody has won yet.
func isConflict(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ConditionalRequestConflict"
}

// kindOfStatus is for replies without a known code. A mere 404 is not ErrNotFound; see kindOf.
func kindOfStatus(status int) error {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return ErrDenied
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == http.StatusConflict,
		status >= 500 && status != http.StatusNotImplemented:
		return ErrUnavailable
	}
	return nil
}

func isNetwork(err error) bool {
	var network net.Error
	var send *smithyhttp.RequestSendError
	return errors.As(err, &network) || errors.As(err, &send) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

func isCertificate(err error) bool {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &certificate) || errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch)
}

// shorten takes out of a long chain the part that helps.
func shorten(err error) string {
	if text := ambient.Text(err); text != "" {
		return text
	}
	if short := shortenGCP(err) + shortenAzure(err); short != "" {
		return short
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		if api.ErrorMessage() == "" {
			return api.ErrorCode()
		}
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err.Error()
	}
	return err.Error()
}
