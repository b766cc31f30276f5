package cluster

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Status writes a table of the cluster's servers, and tells whether all of them are ready.
func (c *Cluster) Status(ctx context.Context, out io.Writer) (ready bool, err error) {
	f, found, err := readFacts(c.state)
	if err != nil {
		return false, err
	}
	if !found {
		return false, ErrDown
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SERVER\tSTATE\tPID\tSINCE\tLOG")
	ready = true
	for _, server := range c.servers(f) {
		state, pid, since := c.serverStatus(ctx, f, server)
		ready = ready && state == "ready"
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", server.name, state, pid, since, c.table().Log(server.name))
	}
	return ready, table.Flush()
}

func (c *Cluster) serverStatus(ctx context.Context, f facts, server server) (state, pid, since string) {
	record, found := c.table().Find(server.name)
	if !found || !record.Alive() {
		return "stopped", "-", "-"
	}
	pid, since = fmt.Sprint(record.PID), c.now().Sub(record.Since).Round(time.Second).String()
	limited, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if server.ready == nil || server.ready(limited, f) == nil {
		return "ready", pid, since
	}
	return "not ready", pid, since
}
