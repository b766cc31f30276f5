// Package azure makes a container on a server that speaks Azure's blob protocol.
package azure

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A Server is a blob server and an account on it.
type Server struct {
	Endpoint string // http://host:port; the account is in the path
	Account  string
	Key      string // in base64
}

// CreateContainer makes a container; one that the account already has is no error.
func (s Server) CreateContainer(ctx context.Context, client *http.Client, name string, now time.Time) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, s.Endpoint+"/"+s.Account+"/"+name+"?restype=container", nil)
	if err != nil {
		return fmt.Errorf("making container %s: %w", name, err)
	}
	if err := s.sign(request, name, now.UTC()); err != nil {
		return fmt.Errorf("making container %s: %w", name, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("making container %s: %w", name, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return fmt.Errorf("making container %s: %w", name, err)
	}
	if response.StatusCode != http.StatusCreated && response.Header.Get("X-Ms-Error-Code") != "ContainerAlreadyExists" {
		return fmt.Errorf("making container %s: %s: %s", name, response.Status, body)
	}
	return nil
}

// sign adds a signature with the account's key to a request for a container without a body.
func (s Server) sign(request *http.Request, container string, now time.Time) error {
	const version = "2021-08-06"
	key, err := base64.StdEncoding.DecodeString(s.Key)
	if err != nil {
		return fmt.Errorf("reading the account's key: %w", err)
	}
	date := now.Format(http.TimeFormat)
	text := request.Method + strings.Repeat("\n", 12) + "x-ms-date:" + date + "\nx-ms-version:" + version +
		"\n/" + s.Account + "/" + s.Account + "/" + container + "\nrestype:container"
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	request.Header.Set("X-Ms-Date", date)
	request.Header.Set("X-Ms-Version", version)
	request.Header.Set("Authorization", "SharedKey "+s.Account+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}
