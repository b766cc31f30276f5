package artifact

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
)

// s3Options are the attributes of an S3 store. Without key, secret and profile, credentials are looked for where the
// AWS tools look: environment, shared files, the machine's or pod's role.
var s3Options = []string{"endpoint", "region", "key", "secret", "token", "path_style", "profile"}

// Times that make an outage show soon; the callers try again.
const (
	s3DialTimeout = 4 * time.Second
	// s3IdleTimeout bounds the time in which neither side of a connection says anything.
	s3IdleTimeout = 9 * time.Second
	s3Attempts    = 3
	s3MaxBackoff  = 500 * time.Millisecond
)

func openS3Bucket(ctx context.Context, bucket string, options map[string]string) (*blob.Bucket, error) {
	endpoint := options["endpoint"]
	if err := checkEndpoint(endpoint); err != nil {
		return nil, err
	}
	pathStyle, err := parsePathStyle(options["path_style"], endpoint)
	if err != nil {
		return nil, err
	}
	cfg, err := s3Config(ctx, options)
	if err != nil {
		return nil, err
	}
	checksums := aws.RequestChecksumCalculationWhenSupported
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = pathStyle
		o.HTTPClient = &http.Client{Transport: s3Transport()}
		o.Retryer = s3Retryer()
		o.Logger = logging.Nop{}
		// Everything that is read is checked against its digest anyway.
		o.DisableLogOutputChecksumValidationSkipped = true
		if endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
			// Other makers' servers don't all know the newer checksums.
			checksums = aws.RequestChecksumCalculationWhenRequired
			o.RequestChecksumCalculation = checksums
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		}
	})
	opened, err := s3blob.OpenBucket(ctx, client, bucket, &s3blob.Options{RequestChecksumCalculation: checksums})
	if err != nil {
		return nil, fmt.Errorf("using the bucket %q: %w", bucket, err)
	}
	return opened, nil
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("the endpoint %q is not a URL; it looks like https://host:port", endpoint)
	}
	if u.User != nil {
		return errors.New("the endpoint holds a user; give the options key and secret instead")
	}
	return nil
}

// parsePathStyle says whether the bucket goes in the path, not in the host name: what servers at an own endpoint expect.
func parsePathStyle(value, endpoint string) (bool, error) {
	if value == "" {
		return endpoint != "", nil
	}
	style, err := strconv.ParseBool(value)
	if err != nil {
		return false, fmt.Errorf("path_style is %q; it must be true or false", value)
	}
	return style, nil
}

func s3Config(ctx context.Context, options map[string]string) (aws.Config, error) {
	region, key, secret := options["region"], options["key"], options["secret"]
	if (key == "") != (secret == "") {
		return aws.Config{}, errors.New("the options key and secret belong together: give both or none")
	}
	if region == "" && options["endpoint"] != "" {
		region = "us-east-1"
	}
	if key != "" && region != "" {
		return aws.Config{Region: region, Credentials: credentials.NewStaticCredentialsProvider(key, secret, options["token"])}, nil
	}
	load := []func(*config.LoadOptions) error{config.WithDefaultRegion("us-east-1"), config.WithLogger(logging.Nop{})}
	if region != "" {
		load = append(load, config.WithRegion(region))
	}
	if profile := options["profile"]; profile != "" {
		load = append(load, config.WithSharedConfigProfile(profile))
	}
	if key != "" {
		load = append(load, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(key, secret, options["token"])))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("reading the machine's AWS configuration: %w", err)
	}
	cfg.Credentials = ambient{cfg.Credentials}
	return cfg, nil
}

// ambient are the machine's credentials; it marks the error that there are none.
type ambient struct{ aws.CredentialsProvider }

func (a ambient) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := a.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return c, fmt.Errorf("%w: %w", errNoCredentials, err)
	}
	return c, nil
}

// s3Retryer tries again soon and not often, and never after a timeout, so that the caller learns of an outage.
func s3Retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = s3Attempts, s3MaxBackoff
		o.Backoff = retry.NewExponentialJitterBackoff(s3MaxBackoff)
		o.RateLimiter = ratelimit.None
		noTimeouts := retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			var timeout interface{ Timeout() bool }
			if errors.As(err, &timeout) && timeout.Timeout() {
				return aws.FalseTernary
			}
			return aws.UnknownTernary
		})
		o.Retryables = append([]retry.IsErrorRetryable{noTimeouts}, o.Retryables...)
	})
}

func s3Transport() http.RoundTripper {
	dialer := &net.Dialer{Timeout: s3DialTimeout}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &liveConn{Conn: conn, idle: s3IdleTimeout}, nil
		},
		TLSHandshakeTimeout: s3DialTimeout,
		MaxIdleConnsPerHost: 32,
		IdleConnTimeout:     s3IdleTimeout / 2,
	}
}

// liveConn gives up when nothing has moved in either direction for a while, however long a whole transfer takes.
type liveConn struct {
	net.Conn
	idle time.Duration
}

func (c *liveConn) Read(p []byte) (int, error) {
	if err := c.extend(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *liveConn) Write(p []byte) (int, error) {
	if err := c.extend(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *liveConn) extend() error {
	return c.SetDeadline(time.Now().Add(c.idle)) // a connection's deadline is in real time
}
