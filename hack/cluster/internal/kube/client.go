// Package kube speaks the little of the Kubernetes API that bringing a cluster up needs, without the weight of a client library.
package kube

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/pki"
)

// A Client talks to one API server.
type Client struct {
	server string
	http   *http.Client
}

// NewClient returns a client that shows the certificate of identity and trusts the authority alone.
func NewClient(server string, authority []byte, identity pki.Pair) (*Client, error) {
	certificate, err := tls.X509KeyPair(identity.Certificate, identity.Key)
	if err != nil {
		return nil, fmt.Errorf("reading the administrator's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, errors.New("reading the authority's certificate: no certificate in it")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: roots}}
	return &Client{server: server, http: &http.Client{Transport: transport, Timeout: 10 * time.Second}}, nil
}

// Ready returns nil once the API server says that it is ready.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.do(ctx, http.MethodGet, "/readyz", nil)
	return err
}

// NodeReady returns nil once the node exists and is ready for pods.
func (c *Client) NodeReady(ctx context.Context, name string) error {
	body, err := c.do(ctx, http.MethodGet, "/api/v1/nodes/"+name, nil)
	if err != nil {
		return err
	}
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := json.Unmarshal(body, &node); err != nil {
		return fmt.Errorf("reading the node: %w", err)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" && condition.Status == "True" {
			return nil
		}
		if condition.Type == "Ready" {
			return errors.New(condition.Message)
		}
	}
	return errors.New("the node has not reported yet")
}

// Exists returns nil if the object at the path exists.
func (c *Client) Exists(ctx context.Context, path string) error {
	_, err := c.do(ctx, http.MethodGet, path, nil)
	return err
}

// Apply creates the object at collection/name or makes it what it should be.
func (c *Client) Apply(ctx context.Context, collection, name string, object any) error {
	body, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", name, err)
	}
	path := collection + "/" + name + "?fieldManager=proa-cluster&force=true"
	if _, err := c.do(ctx, http.MethodPatch, path, body); err != nil {
		return fmt.Errorf("applying %s/%s: %w", collection, name, err)
	}
	return nil
}

func (c *Client) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/apply-patch+yaml")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		return nil, fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(answer[:min(len(answer), 300)]))
	}
	return answer, nil
}
