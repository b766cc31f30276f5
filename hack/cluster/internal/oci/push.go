package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
)

// A Registry is an image registry spoken to over plain HTTP.
type Registry struct {
	Address string // host:port
	Client  *http.Client
}

// Push uploads the image that Write left in dir, unless the registry has it, and names it repository:tag.
func (r Registry) Push(ctx context.Context, dir, repository, tag string) error {
	content, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return fmt.Errorf("reading the image's manifest: %w", err)
	}
	var image manifest
	if err := json.Unmarshal(content, &image); err != nil {
		return fmt.Errorf("reading the image's manifest: %w", err)
	}
	if r.has(ctx, repository+"/manifests/"+tag, describe(manifestType, content).Digest) {
		return nil
	}
	blobs := map[string]descriptor{layerFile: image.Layers[0], configFile: image.Config}
	for file, blob := range blobs {
		if r.has(ctx, repository+"/blobs/"+blob.Digest, blob.Digest) {
			continue
		}
		if err := r.upload(ctx, repository, filepath.Join(dir, file), blob); err != nil {
			return fmt.Errorf("uploading %s of %s: %w", file, repository, err)
		}
	}
	_, err = r.do(ctx, http.MethodPut, r.url(repository+"/manifests/"+tag), manifestType, bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return fmt.Errorf("uploading the manifest of %s: %w", repository, err)
	}
	return nil
}

// Ready returns nil once the registry answers.
func (r Registry) Ready(ctx context.Context) error {
	_, err := r.do(ctx, http.MethodGet, r.url(""), "", nil, 0)
	return err
}

func (r Registry) has(ctx context.Context, path, digest string) bool {
	header, err := r.do(ctx, http.MethodHead, r.url(path), "", nil, 0)
	return err == nil && header.Get("Docker-Content-Digest") == digest
}

func (r Registry) upload(ctx context.Context, repository, path string, blob descriptor) error {
	header, err := r.do(ctx, http.MethodPost, r.url(repository+"/blobs/uploads/"), "", nil, 0)
	if err != nil {
		return err
	}
	target, err := url.Parse(header.Get("Location"))
	if err != nil {
		return fmt.Errorf("reading where to upload to: %w", err)
	}
	query := target.Query()
	query.Set("digest", blob.Digest)
	target.RawQuery = query.Encode()
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = r.do(ctx, http.MethodPut, target.String(), "application/octet-stream", file, blob.Size)
	return err
}

func (r Registry) url(path string) string { return "http://" + r.Address + "/v2/" + path }

func (r Registry) do(ctx context.Context, method, url, contentType string, body io.Reader, size int64) (http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	request.ContentLength = size
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if method == http.MethodHead {
		request.Header.Set("Accept", manifestType)
	}
	response, err := r.Client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 512)) // the status is what counts
		return nil, fmt.Errorf("%s %s: %s %s", method, url, response.Status, bytes.TrimSpace(text))
	}
	return response.Header, nil
}
