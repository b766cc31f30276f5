package login

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/proa-ml/proa/internal/ambient"
)

// registryOfAmazon is what the host of one of Amazon's registries says: ACCOUNT.dkr.ecr.REGION.amazonaws.com.
type registryOfAmazon struct{ account, region, api string }

func amazonRegistry(host string) (registryOfAmazon, bool) {
	parts := regexp.MustCompile(`^([0-9]{12})\.dkr\.ecr(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?)$`).FindStringSubmatch(host)
	if parts == nil {
		return registryOfAmazon{}, false
	}
	name := "api.ecr."
	if parts[2] != "" {
		name = "ecr-fips."
	}
	return registryOfAmazon{account: parts[1], region: parts[3], api: "https://" + name + parts[3] + "." + parts[4]}, true
}

// amazon asks the registry's service for a login, which lasts for twelve hours.
func (c *Clouds) amazon(r registryOfAmazon) giver {
	return func(ctx context.Context) (string, string, time.Time, error) {
		var reply struct {
			Data []struct {
				Token string  `json:"authorizationToken"`
				Until float64 `json:"expiresAt"`
			} `json:"authorizationData"`
		}
		if err := c.callAmazon(ctx, r, "GetAuthorizationToken", struct{}{}, &reply); err != nil {
			return "", "", time.Time{}, err
		}
		if len(reply.Data) == 0 {
			return "", "", time.Time{}, errors.New("the registry's service gave no login")
		}
		login, err := base64.StdEncoding.DecodeString(reply.Data[0].Token)
		username, password, ok := strings.Cut(string(login), ":")
		if err != nil || !ok {
			return "", "", time.Time{}, errors.New("the login of the registry's service can't be read")
		}
		seconds, part := math.Modf(reply.Data[0].Until)
		return username, password, time.Unix(int64(seconds), int64(part*1e9)), nil
	}
}

// Create makes a repository that a push found missing, where pushing makes none: at Amazon. It reports whether it is there now.
func (c *Clouds) Create(ctx context.Context, host, repository string) (bool, error) {
	r, is := amazonRegistry(host)
	if !is {
		return false, nil
	}
	err := c.callAmazon(ctx, r, "CreateRepository", map[string]string{"repositoryName": repository, "registryId": r.account}, nil)
	var refused *refusal
	if err == nil || errors.As(err, &refused) && refused.code == "RepositoryAlreadyExistsException" {
		return true, nil
	}
	return false, fmt.Errorf("the repository %s does not exist, and it can't be made with these credentials: %s; "+
		"allow them ecr:CreateRepository, or have somebody who may type `aws ecr create-repository --region %s --repository-name %s`",
		repository, why(err), r.region, repository)
}

// callAmazon calls an operation of the registry's service.
func (c *Clouds) callAmazon(ctx context.Context, r registryOfAmazon, operation string, input, output any) error {
	cfg, err := ambient.Amazon(ctx, config.WithRegion(r.region))
	if err != nil {
		return err
	}
	keys, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(input)
	if err != nil {
		return fmt.Errorf("encoding a request: %w", err)
	}
	api := r.api
	if other := c.options.Env("AWS_ENDPOINT_URL_ECR"); other != "" {
		api = other
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(api, "/")+"/", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921."+operation)
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, keys, request, hex.EncodeToString(sum[:]), "ecr", r.region, c.options.Now()); err != nil {
		return fmt.Errorf("signing a request: %w", err)
	}
	if output == nil {
		output = &struct{}{}
	}
	return c.ask(request, output)
}

// refusal is what a cloud's service says of a request that it doesn't fulfil.
type refusal struct{ code, message string }

func (r *refusal) Error() string { return strings.TrimSuffix(r.code+": "+r.message, ": ") }

// refusalOf reads a refusal, as Amazon's services and registries say it.
func refusalOf(response *http.Response, body []byte) *refusal {
	var reply struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
		Errors  []struct{ Code, Message string }
	}
	_ = json.Unmarshal(body, &reply) // of what is none, the status is told
	if len(reply.Errors) > 0 {
		return &refusal{reply.Errors[0].Code, reply.Errors[0].Message}
	}
	code := reply.Type[strings.LastIndex(reply.Type, "#")+1:]
	if code == "" {
		return &refusal{response.Status, ""}
	}
	return &refusal{code, reply.Message}
}
