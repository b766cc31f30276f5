package artifact

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"github.com/proa-ml/proa/internal/ambient"
)

// s3Options are the attributes of an S3 store. Without key, secret and profile, credentials are looked for where the
// AWS tools look: environment, shared files, the machine's or pod's role.
var s3Options = []string{"endpoint", "region", "key", "secret", "token", "path_style", "profile"}

func openS3Bucket(ctx context.Context, bucket string, options map[string]string) (*blob.Bucket, error) {
	endpoint := options["endpoint"]
	if err := checkEndpoint(endpoint, "key and secret"); err != nil {
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
		o.HTTPClient = newHTTPClient()
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
	load := []func(*config.LoadOptions) error{config.WithDefaultRegion("us-east-1")}
	if region != "" {
		load = append(load, config.WithRegion(region))
	}
	if profile := options["profile"]; profile != "" {
		load = append(load, config.WithSharedConfigProfile(profile))
	}
	if key != "" {
		load = append(load, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(key, secret, options["token"])))
	}
	return ambient.Amazon(ctx, load...)
}

// s3Retryer tries again soon and not often, and never after a timeout, so that the caller learns of an outage.
func s3Retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = attempts, maxBackoff
		o.Backoff = retry.NewExponentialJitterBackoff(maxBackoff)
		o.RateLimiter = ratelimit.None
		noTimeouts := retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			if isTimeout(err) {
				return aws.FalseTernary
			}
			return aws.UnknownTernary
		})
		o.Retryables = append([]retry.IsErrorRetryable{noTimeouts}, o.Retryables...)
	})
}
