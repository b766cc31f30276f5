package standard

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/stack"
	"github.com/proa-ml/proa/step"
)

func gcpArtifacts() flavor.Flavor {
	return flavor.Flavor{
		Kind: stack.ArtifactStore, Name: "gcp",
		Meaning: "a bucket of Google Cloud Storage",
		Attributes: []flavor.Attribute{
			{Name: "path", Type: flavor.Text, Required: true, Meaning: "the bucket, and a prefix within it", Example: "gs://bucket/prefix", Check: bucketURL("gs")},
			{Name: "service_account_key", Aliases: []string{"token"}, Type: flavor.Text, Secret: true, Check: keyFile, Example: "@key.json",
				Meaning: "the content of a service account's key file; ambient credentials (such as the pods' workload identity) if not given"},
			{Name: "key_file", Type: flavor.Text, Check: absolute, Example: "/home/me/key.json",
				Meaning: "the path of a key file on this machine, instead of its content; it is read at each run, whose pods are given the content"},
			{Name: "endpoint", Type: flavor.Text, Check: httpURL, Example: "https://storage-mine.p.googleapis.com",
				Meaning: "the server's URL; Google's if not given; without a key, one with http:// is spoken to without credentials, as emulators want it"},
		},
		Check: checkGCP,
		Local: func(s flavor.Settings) string { return localURL(s["endpoint"]) },
	}
}

func azureArtifacts() flavor.Flavor {
	return flavor.Flavor{
		Kind: stack.ArtifactStore, Name: "azure",
		Meaning: "a container of Azure Blob Storage",
		Attributes: []flavor.Attribute{
			{Name: "path", Type: flavor.Text, Required: true, Example: "az://container/prefix", Check: azureURL,
				Meaning: "the container, and a prefix within it; abfs://, abfss://, wasbs:// and azblob:// mean the same as az://, and abfs://container@account.dfs.core.windows.net/prefix names the account, too"},
			{Name: "account_name", Aliases: []string{"account"}, Type: flavor.Text, Meaning: "the storage account; a connection string names it itself, and so may the path", Example: "myaccount"},
			{Name: "account_key", Type: flavor.Text, Secret: true, Example: "@key.txt",
				Meaning: "one of the account's keys; ambient credentials (such as the pods' workload identity) if there is neither this, nor sas_token, connection_string or client_secret"},
			{Name: "sas_token", Type: flavor.Text, Secret: true, Meaning: "a shared access signature that may read, write, list and delete in the container", Example: "@sas.txt"},
			{Name: "connection_string", Type: flavor.Text, Secret: true, Meaning: "account, key and endpoint in one, instead of the other attributes", Example: "@connection.txt"},
			{Name: "tenant_id", Type: flavor.Text, Example: "00000000-0000-0000-0000-000000000000",
				Meaning: "the directory (tenant) of a service principal that may read, write, list and delete in the container"},
			{Name: "client_id", Type: flavor.Text, Meaning: "the service principal's application (client) id", Example: "00000000-0000-0000-0000-000000000000"},
			{Name: "client_secret", Type: flavor.Text, Secret: true, Meaning: "the service principal's secret", Example: "{{azure.client_secret}}"},
			{Name: "endpoint", Type: flavor.Text, Check: httpURL, Example: "https://myaccount.privatelink.blob.core.windows.net",
				Meaning: "the URL of the account's blob service; https://ACCOUNT.blob.core.windows.net if not given"},
		},
		Check: checkAzure,
		Local: func(s flavor.Settings) string {
			if where := localURL(s["endpoint"]); where != "" {
				return where
			}
			return localURL(connectionPart(s["connection_string"], "BlobEndpoint"))
		},
	}
}

// bucketURL makes a check for the URL of a bucket with one of the given schemes.
func bucketURL(schemes ...string) func(string) error {
	return func(value string) error {
		u, err := url.Parse(value)
		if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" {
			return errors.New("it must begin with " + schemes[0] + ":// and name a bucket or container")
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("it must be a bucket or container and a prefix only; accounts and keys are other attributes")
		}
		return nil
	}
}

func keyFile(value string) error {
	if !json.Valid([]byte(value)) || !strings.HasPrefix(strings.TrimSpace(value), "{") {
		return errors.New("it must be the content of a key file in JSON, not a path (@PATH reads a file)")
	}
	return nil
}

func checkGCP(s flavor.Settings) error {
	if s["service_account_key"] != "" && s["key_file"] != "" {
		return stack.Mistake("give only one of them", "the attributes \"service_account_key\" and \"key_file\" exclude each other")
	}
	return nil
}

// azureURL checks the URL of a container.
func azureURL(value string) error {
	u, err := url.Parse(value)
	if err != nil || !slices.Contains(artifact.AzureSchemes(), u.Scheme) {
		return errors.New("it must begin with az:// and name a container")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return errors.New("it must be a container and a prefix only; keys are other attributes")
	}
	_, err = artifact.ParseAzure(value)
	return err
}

func checkAzure(s flavor.Settings) error {
	if err := checkPrincipal(s); err != nil {
		return err
	}
	var given []string
	for _, name := range []string{"account_key", "sas_token", "connection_string", "client_secret"} {
		if s[name] != "" {
			given = append(given, name)
		}
	}
	place, err := artifact.ParseAzure(s["path"])
	if err != nil {
		return err
	}
	switch {
	case len(given) > 1:
		return stack.Mistake("give only one of them", "the attributes %q and %q exclude each other", given[0], given[1])
	case s["connection_string"] != "" && s["account_name"]+s["endpoint"]+place.Account != "":
		return stack.Mistake("leave them out", "the connection string holds what \"account_name\" and \"endpoint\" (or the path's host) say")
	case s["connection_string"] == "" && s["account_name"]+place.Account == "":
		return stack.Mistake("add --account_name=ACCOUNT", "the attribute \"account_name\" is missing: only a connection string, or a path with the account in it, does without it")
	case s["account_name"] != "" && place.Account != "" && s["account_name"] != place.Account:
		return stack.Mistake("give one of them", "the path names the storage account %q, and \"account_name\" says %q", place.Account, s["account_name"])
	}
	return nil
}

// checkPrincipal checks that a service principal is whole.
func checkPrincipal(s flavor.Settings) error {
	all := []string{"tenant_id", "client_id", "client_secret"}
	missing := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return s[name] != "" })
	if len(missing) == 0 || len(missing) == len(all) {
		return nil
	}
	return stack.Mistake("give --tenant_id, --client_id and --client_secret, or none of them for the machine's own identity",
		"the attribute %q of the service principal is missing", missing[0])
}

// connectionPart returns a field of a storage account's connection string.
func connectionPart(connection, field string) string {
	for part := range strings.SplitSeq(connection, ";") {
		if name, value, _ := strings.Cut(part, "="); name == field {
			return value
		}
	}
	return ""
}

// store makes a store of a component's settings: of the named ones, those that are set are its options.
func store(settings flavor.Settings, options ...string) step.Store {
	s := step.Store{URL: settings["path"], Options: map[string]string{}}
	for _, name := range options {
		if settings[name] != "" {
			s.Options[name] = settings[name]
		}
	}
	return s
}

// gcpStore reads the key file here, for a path of this machine means nothing elsewhere.
func gcpStore(component stack.Component, settings flavor.Settings) (step.Store, error) {
	s := store(settings, "endpoint", "service_account_key")
	path := settings["key_file"]
	if path == "" {
		return s, nil
	}
	hint := "correct it with `proa artifact-store update " + component.Name + " --key_file=PATH`"
	content, err := os.ReadFile(path)
	if err != nil {
		return s, stack.Mistake(hint, "reading the key file of the artifact store %q: %v", component.Name, err)
	}
	if err := keyFile(string(content)); err != nil {
		return s, stack.Mistake(hint, "%s, the key file of the artifact store %q, is not one: it must be JSON", path, component.Name)
	}
	s.Options["service_account_key"] = string(content)
	return s, nil
}
