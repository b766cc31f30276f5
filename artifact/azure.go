package artifact

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"

	"github.com/proa-ml/proa/internal/ambient"
)

// azureOptions are the attributes of a store in Azure Blob Storage. tenant_id, client_id and client_secret are those of a
// service principal. Without it, account_key, sas_token and connection_string, credentials are looked for where Azure's tools look: environment, workload identity, managed identity, az.
var azureOptions = []string{"account_name", "account_key", "sas_token", "connection_string", "tenant_id", "client_id", "client_secret", "endpoint"}

func openAzureBucket(ctx context.Context, name string, options map[string]string) (*blob.Bucket, error) {
	client, err := azureClient(name, options)
	if err != nil {
		return nil, err
	}
	opened, err := azureblob.OpenBucket(ctx, client, nil)
	if err != nil {
		return nil, fmt.Errorf("using the container %q: %w", name, err)
	}
	return opened, nil
}

func azureClient(name string, options map[string]string) (*container.Client, error) {
	opts := &container.ClientOptions{ClientOptions: azureClientOptions()}
	if connection := options["connection_string"]; connection != "" {
		if options["account_name"]+options["account_key"]+options["sas_token"]+options["endpoint"] != "" {
			return nil, errors.New("the option connection_string holds account, key and endpoint, so the others exclude it")
		}
		client, err := container.NewClientFromConnectionString(connection, name, opts)
		if err != nil {
			return nil, errors.New("the option connection_string is not one of a storage account; it looks like \"AccountName=...;AccountKey=...;EndpointSuffix=...\"")
		}
		return client, nil
	}
	place, err := containerURL(name, options)
	if err != nil {
		return nil, err
	}
	switch key, sas := options["account_key"], options["sas_token"]; {
	case key != "" && sas != "":
		return nil, errors.New("the options account_key and sas_token exclude each other")
	case key != "":
		credential, err := container.NewSharedKeyCredential(options["account_name"], key)
		if err != nil {
			return nil, errors.New("the option account_key is not a storage account's key, which is base64")
		}
		return container.NewClientWithSharedKeyCredential(place, credential, opts)
	case sas != "":
		return container.NewClientWithNoCredential(place+"?"+strings.TrimPrefix(sas, "?"), opts)
	}
	principal, err := azurePrincipal(options)
	if err != nil {
		return nil, err
	}
	credential, err := ambient.Azure(principal, opts.ClientOptions)
	if err != nil {
		return nil, err
	}
	return container.NewClient(place, credential, opts)
}

func azurePrincipal(options map[string]string) (ambient.Principal, error) {
	p := ambient.Principal{Tenant: options["tenant_id"], Client: options["client_id"], Secret: options["client_secret"]}
	if p != (ambient.Principal{}) && (p.Tenant == "" || p.Client == "" || p.Secret == "") {
		return p, errors.New("the options tenant_id, client_id and client_secret belong together: give all or none")
	}
	return p, nil
}

// containerURL is a container's address. At an address without a name, such as an emulator's, the account is in the path.
func containerURL(name string, options map[string]string) (string, error) {
	account, endpoint := options["account_name"], options["endpoint"]
	if err := checkEndpoint(endpoint, "account_key or sas_token"); err != nil {
		return "", err
	}
	if account == "" {
		return "", errors.New("the option account_name is missing; it names the storage account")
	}
	if endpoint == "" {
		endpoint = "https://" + account + ".blob.core.windows.net"
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", fmt.Errorf("the endpoint %q is not a URL", endpoint)
	}
	if strings.Trim(u.Path, "/") == "" && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()) != nil) {
		u = u.JoinPath(account)
	}
	return u.JoinPath(name).String(), nil
}

// azureClientOptions try again soon and not often, and never after a timeout, so that the caller learns of an outage.
func azureClientOptions() policy.ClientOptions {
	return policy.ClientOptions{
		Transport: newHTTPClient(),
		Telemetry: policy.TelemetryOptions{Disabled: true},
		Retry: policy.RetryOptions{
			MaxRetries: attempts - 1, RetryDelay: maxBackoff / 5, MaxRetryDelay: maxBackoff,
			ShouldRetry: func(response *http.Response, err error) bool {
				if err != nil {
					return !isTimeout(err) && !isCertificate(err) && !ambient.Is(err)
				}
				return errors.Is(kindOfStatus(response.StatusCode), ErrUnavailable) && response.StatusCode != http.StatusConflict
			},
		},
	}
}

// kindOfAzure returns the sentinel that an error of Azure's client amounts to, and whether it is one of its.
func kindOfAzure(err error) (kind error, is bool) {
	var reply *azcore.ResponseError
	if !errors.As(err, &reply) {
		return nil, false
	}
	switch bloberror.Code(reply.ErrorCode) {
	case bloberror.ContainerNotFound, bloberror.ContainerBeingDeleted:
		return ErrNoBucket, true
	case bloberror.BlobNotFound:
		return ErrNotFound, true
	case bloberror.InvalidAuthenticationInfo, bloberror.AccountIsDisabled, bloberror.ContainerDisabled:
		return ErrDenied, true
	case bloberror.BlobAlreadyExists, bloberror.ConditionNotMet:
		return nil, true
	}
	return kindOfStatus(reply.StatusCode), true
}

// shortenAzure says what matters of an error of Azure's client, whose own text is a page; empty if it is none.
func shortenAzure(err error) string {
	var reply *azcore.ResponseError
	if !errors.As(err, &reply) {
		return ""
	}
	if reply.ErrorCode == "" {
		return fmt.Sprintf("the server replied %d %s", reply.StatusCode, http.StatusText(reply.StatusCode))
	}
	return fmt.Sprintf("%d: %s", reply.StatusCode, reply.ErrorCode)
}
