package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// PodSucceeded returns nil once the pod at the path has succeeded, and else what it does.
func (c *Client) PodSucceeded(ctx context.Context, path string) error {
	body, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	var pod podStatus
	if err := json.Unmarshal(body, &pod); err != nil {
		return fmt.Errorf("reading the pod: %w", err)
	}
	if pod.Status.Phase == "Succeeded" {
		return nil
	}
	return errors.New(pod.describe())
}

type podStatus struct {
	Status struct {
		Phase             string
		Conditions        []struct{ Type, Status, Message string }
		ContainerStatuses []struct {
			State struct {
				Waiting    *struct{ Reason, Message string }
				Terminated *struct{ Reason, Message string }
			}
		}
	}
}

// describe says in a line what the pod waits for or why it failed.
func (p podStatus) describe() string {
	parts := []string{"the pod is " + p.Status.Phase}
	for _, condition := range p.Status.Conditions {
		if condition.Status == "False" && condition.Message != "" {
			parts = append(parts, condition.Message)
		}
	}
	for _, container := range p.Status.ContainerStatuses {
		for _, state := range []*struct{ Reason, Message string }{container.State.Waiting, container.State.Terminated} {
			if state != nil {
				parts = append(parts, state.Reason+" "+state.Message)
			}
		}
	}
	return strings.Join(parts, ": ")
}

// Delete removes the object at the path at once; one that is not there is no error.
func (c *Client) Delete(ctx context.Context, path string) error {
	_, err := c.do(ctx, http.MethodDelete, path+"?gracePeriodSeconds=0", nil)
	if err != nil && !strings.HasPrefix(err.Error(), "404 ") {
		return fmt.Errorf("deleting %s: %w", path, err)
	}
	return nil
}
