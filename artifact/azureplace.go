package artifact

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
)

// AzureSchemes are those of the URLs of stores in Azure Blob Storage. All mean the same: the tools that write them differ.
func AzureSchemes() []string { return []string{"az", "abfs", "abfss", "azblob", "wasb", "wasbs"} }

// publicAzure is where the accounts of Azure's public cloud are.
const publicAzure = "core.windows.net"

// AzurePlace is where a store in Azure Blob Storage is.
type AzurePlace struct {
	Container, Prefix string
	// Account is the storage account, and Endpoint the URL of its blob service, if the store's URL names them.
	Account, Endpoint string
}

// ParseAzure reads the URL of a store in Azure Blob Storage: "az://container/prefix", or with the account, as Hadoop's tools
// write it, "abfs://container@account.dfs.core.windows.net/prefix".
func ParseAzure(text string) (AzurePlace, error) {
	const form = "it looks like az://container/prefix or abfs://container@account.dfs.core.windows.net/prefix"
	u, err := url.Parse(text)
	if err != nil {
		return AzurePlace{}, errors.New("it is not a URL; " + form)
	}
	place := AzurePlace{Container: u.Host, Prefix: strings.Trim(u.Path, "/")}
	if u.User != nil {
		if _, password := u.User.Password(); password {
			return AzurePlace{}, errors.New("it must not hold a password; " + form)
		}
		place.Container = u.User.Username()
		account, rest, _ := strings.Cut(u.Host, ".")
		service, cloud, _ := strings.Cut(rest, ".")
		if (service != "dfs" && service != "blob") || account == "" || cloud == "" || u.Port() != "" {
			return AzurePlace{}, fmt.Errorf("%q is not the host of a storage account; %s", u.Host, form)
		}
		place.Account = account
		if cloud != publicAzure {
			place.Endpoint = "https://" + account + ".blob." + cloud
		}
	}
	if place.Container == "" {
		return AzurePlace{}, errors.New("it names no container; " + form)
	}
	return place, nil
}

// azureStore takes account and endpoint out of a store's URL: it returns the URL without them, and the options with them.
func azureStore(u *url.URL, options map[string]string) (*url.URL, map[string]string, error) {
	place, err := ParseAzure(u.String())
	if err != nil {
		return nil, nil, fmt.Errorf("%q: %w", u.Redacted(), err)
	}
	options = maps.Clone(options)
	if options == nil {
		options = map[string]string{}
	}
	if place.Account != "" {
		if given := options["account_name"]; given != "" && given != place.Account {
			return nil, nil, fmt.Errorf("the URL names the storage account %q, and the option account_name %q", place.Account, given)
		}
		options["account_name"] = place.Account
	}
	if options["endpoint"] == "" {
		options["endpoint"] = place.Endpoint
	}
	return &url.URL{Scheme: u.Scheme, Host: place.Container, Path: u.Path}, options, nil
}
