package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// List reads the items of the collection at the path into items, a pointer to a slice.
func (c *Client) List(ctx context.Context, path string, items any) error {
	body, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return fmt.Errorf("listing %s: %w", path, err)
	}
	list := struct{ Items any }{items}
	if err := json.Unmarshal(body, &list); err != nil {
		return fmt.Errorf("reading the list of %s: %w", path, err)
	}
	return nil
}

// Watch calls changed at each change of the collection at the path, and once at its beginning, until ctx or the connection ends.
func (c *Client) Watch(ctx context.Context, path string, changed func()) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path+"?watch=1", nil)
	if err != nil {
		return err
	}
	endless := http.Client{Transport: c.http.Transport}
	response, err := endless.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	changed()
	for decoder := json.NewDecoder(response.Body); ; changed() {
		var event json.RawMessage
		if err := decoder.Decode(&event); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
