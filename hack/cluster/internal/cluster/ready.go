package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/oci"
)

// A check returns nil once something is ready.
type check func(ctx context.Context, f facts) error

func (c *Cluster) address(f facts, port int) string {
	return fmt.Sprintf("%s:%d", f.namespace(c.state).Node(), port)
}

func (c *Cluster) apiReady(ctx context.Context, f facts) error {
	client, err := c.client(f)
	if err != nil {
		return err
	}
	return client.Ready(ctx)
}

// accountReady tells that the controller manager works: it makes the account that pods of the default namespace run under.
func (c *Cluster) accountReady(ctx context.Context, f facts) error {
	client, err := c.client(f)
	if err != nil {
		return err
	}
	return client.Exists(ctx, "/api/v1/namespaces/default/serviceaccounts/default")
}

func (c *Cluster) nodeReady(ctx context.Context, f facts) error {
	client, err := c.client(f)
	if err != nil {
		return err
	}
	return client.NodeReady(ctx, nodeName)
}

func (c *Cluster) containerdReady(ctx context.Context, _ facts) error {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "unix", c.state.containerdSocket())
	if err != nil {
		return err
	}
	return connection.Close()
}

func (c *Cluster) dockerReady(ctx context.Context, _ facts) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", c.state.dockerSocket())
	}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/_ping", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

func (c *Cluster) registryReady(ctx context.Context, f facts) error {
	return c.registry(f).Ready(ctx)
}

func (c *Cluster) registry(f facts) oci.Registry {
	return oci.Registry{Address: c.address(f, registryPort), Client: &http.Client{Timeout: time.Minute}}
}

func (c *Cluster) s3Ready(ctx context.Context, f facts) error {
	return answers(ctx, "http://"+c.address(f, s3Port)+"/health")
}

// answers asks a server whether it is well.
func answers(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

func (c *Cluster) mysqlReady(ctx context.Context, f facts) error { return c.greeted(ctx, f, mysqlPort) }

// greeted reads a database server's greeting, which it sends once it has run its initial statements.
func (c *Cluster) greeted(ctx context.Context, f facts, port int) error {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", c.address(f, port))
	if err != nil {
		return err
	}
	defer connection.Close()
	if err := connection.SetDeadline(c.now().Add(2 * time.Second)); err != nil {
		return err
	}
	greeting := make([]byte, 5)
	if _, err := io.ReadFull(connection, greeting); err != nil {
		return err
	}
	const protocol10 = 10
	if greeting[4] != protocol10 {
		return fmt.Errorf("the database server greets with protocol %d", greeting[4])
	}
	return nil
}
