// Package ambient finds the credentials that a machine or a pod has at a cloud without being given any: what its environment
// says, what the cloud's own tools have left on it, and what the cloud tells its machines. The order is that of each cloud's own
// tools; docs/clouds.md lists it.
package ambient

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/oauth2"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNone: the machine has none.
	ErrNone = errors.New("no credentials were found")
	// ErrRefused: the cloud gives no token for those that it has.
	ErrRefused = errors.New("the credentials were refused")
	// ErrUnavailable: who gives tokens can't be reached or is too busy now.
	ErrUnavailable = errors.New("the cloud's identity service is unavailable")
)

// Is reports whether there was no credential to be had.
func Is(err error) bool {
	return errors.Is(err, ErrNone) || errors.Is(err, ErrRefused) || errors.Is(err, ErrUnavailable)
}

// Text says in few words why there was no credential to be had; empty if that isn't what err is about.
func Text(err error) string {
	for _, kind := range []error{ErrNone, ErrRefused, ErrUnavailable} {
		if errors.Is(err, kind) {
			return join(kind.Error(), reason(err))
		}
	}
	return ""
}

// reason is what a cloud's identity service said, or which file can't be read; empty if it is neither.
func reason(err error) string {
	var google *oauth2.RetrieveError
	if errors.As(err, &google) {
		return orElse(said(google.Body), google.Response.Status)
	}
	var azure *azidentity.AuthenticationFailedError
	if errors.As(err, &azure) {
		return azureReason(azure)
	}
	var amazon smithy.APIError
	if errors.As(err, &amazon) {
		return join(amazon.ErrorCode(), amazon.ErrorMessage())
	}
	var chain *amazonError
	var file *fs.PathError
	var request *url.Error
	switch {
	case errors.As(err, &request):
		return request.Err.Error()
	case errors.As(err, &file):
		return file.Error()
	case errors.As(err, &chain):
		return chain.Error()
	}
	return ""
}

// said reads a refusal as RFC 6749 has it.
func said(body []byte) string {
	var reply struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &reply) != nil || reply.Code == "" {
		return ""
	}
	// Microsoft adds identifiers that only its support has a use for.
	description, _, _ := strings.Cut(reply.Description, " Trace ID:")
	description, _, _ = strings.Cut(description, "\n")
	return join(reply.Code, strings.TrimSpace(description))
}

func join(code, message string) string { return strings.TrimSuffix(code+": "+message, ": ") }

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// busy says that a service's status is not about the credentials.
func busy(status int) bool { return status >= 500 || status == 429 || status == 408 }

func isNetwork(err error) bool {
	var network net.Error
	var send *smithyhttp.RequestSendError
	return errors.As(err, &network) || errors.As(err, &send) || errors.Is(err, io.ErrUnexpectedEOF)
}
