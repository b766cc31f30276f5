// Package s3 makes a bucket on an S3 server.
package s3

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A Server is an S3 server and an account on it.
type Server struct {
	Endpoint string // http://host:port
	Region   string
	Key      string
	Secret   string
}

// CreateBucket makes a bucket; one that the account already has is no error.
func (s Server) CreateBucket(ctx context.Context, client *http.Client, bucket string, now time.Time) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, s.Endpoint+"/"+bucket, nil)
	if err != nil {
		return fmt.Errorf("making bucket %s: %w", bucket, err)
	}
	s.sign(request, now.UTC())
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("making bucket %s: %w", bucket, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return fmt.Errorf("making bucket %s: %w", bucket, err)
	}
	if response.StatusCode >= 300 && !strings.Contains(string(body), "BucketAlreadyOwnedByYou") {
		return fmt.Errorf("making bucket %s: %s: %s", bucket, response.Status, body)
	}
	return nil
}

// sign adds a signature of version 4 to a request without a query and a body.
func (s Server) sign(request *http.Request, now time.Time) {
	const signed = "host;x-amz-content-sha256;x-amz-date"
	stamp, day := now.Format("20060102T150405Z"), now.Format("20060102")
	empty := digest("")
	canonical := strings.Join([]string{
		request.Method, request.URL.EscapedPath(), "",
		"host:" + request.URL.Host, "x-amz-content-sha256:" + empty, "x-amz-date:" + stamp, "",
		signed, empty,
	}, "\n")
	scope := day + "/" + s.Region + "/s3/aws4_request"
	text := strings.Join([]string{"AWS4-HMAC-SHA256", stamp, scope, digest(canonical)}, "\n")
	key := []byte("AWS4" + s.Secret)
	for _, part := range []string{day, s.Region, "s3", "aws4_request"} {
		key = mac(key, part)
	}
	request.Header.Set("X-Amz-Date", stamp)
	request.Header.Set("X-Amz-Content-Sha256", empty)
	request.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%x", s.Key, scope, signed, mac(key, text)))
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}
