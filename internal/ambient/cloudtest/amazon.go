package cloudtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"time"
)

// Names of what Amazon's services know.
const (
	Role           = "arn:aws:iam::123456789012:role/proa"
	AmazonAudience = "sts.amazonaws.com"
	ContainerToken = "token-of-the-pod"
)

// amazonSTS is the Security Token Service.
func (c *Cloud) amazonSTS(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	form, err := url.ParseQuery(string(body))
	if err == nil {
		err = errors.Join(want("Version", form.Get("Version"), "2011-06-15"), want("RoleArn", form.Get("RoleArn"), Role))
	}
	if form.Get("RoleSessionName") == "" {
		err = errors.Join(err, errors.New("RoleSessionName is missing"))
	}
	action := form.Get("Action")
	switch action {
	case "AssumeRoleWithWebIdentity":
		_, bad := verify(form.Get("WebIdentityToken"), &c.Subject.PublicKey, AmazonAudience)
		err = errors.Join(err, bad, want("Authorization", r.Header.Get("Authorization"), ""))
	case "AssumeRole":
		err = errors.Join(err, VerifySignature(r, body, c.Key, c.Secret, "sts"))
	default:
		err = errors.Join(err, fmt.Errorf("the action is %q", action))
	}
	token, err := c.issue(action, err)
	w.Header().Set("Content-Type", "text/xml")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code><Message>%s</Message></Error></ErrorResponse>", err)
		return
	}
	_, _ = fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>"+
		"<SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials></%[1]sResult></%[1]sResponse>",
		action, c.Key, c.Secret, token, c.until())
}

// until is when what is given out now expires.
func (c *Cloud) until() string { return time.Now().Add(c.Lifetime).UTC().Format(time.RFC3339) }

// amazonContainer is what gives a task of ECS, or a pod of EKS, its role's keys.
func (c *Cloud) amazonContainer(w http.ResponseWriter, r *http.Request) {
	token, err := c.issue("container", want("Authorization", r.Header.Get("Authorization"), ContainerToken))
	if err != nil {
		reply(w, http.StatusUnauthorized, map[string]string{"code": "AccessDenied", "message": err.Error()})
		return
	}
	reply(w, http.StatusOK, map[string]string{"AccessKeyId": c.Key, "SecretAccessKey": c.Secret, "Token": token, "Expiration": c.until()})
}

// amazonMachine is the metadata service of a machine at Amazon, in its second version.
func (c *Cloud) amazonMachine(w http.ResponseWriter, r *http.Request) {
	const session, name = "session-of-the-test", "role-of-the-machine"
	if r.Method == http.MethodPut {
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds"))
		_, _ = io.WriteString(w, session)
		return
	}
	if err := want("the session", r.Header.Get("X-Aws-Ec2-Metadata-Token"), session); err != nil {
		c.note("refused: " + err.Error())
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch strings.TrimPrefix(r.URL.Path, "/latest/meta-data/iam/security-credentials/") {
	case "":
		_, _ = io.WriteString(w, name)
	case name:
		token, err := c.issue("machine", nil)
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		reply(w, http.StatusOK, map[string]string{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": c.Key, "SecretAccessKey": c.Secret,
			"Token": token, "Expiration": c.until(), "LastUpdated": c.Now().UTC().Format(time.RFC3339)})
	default:
		http.NotFound(w, r)
	}
}

// VerifySignature checks the signature of a request to one of Amazon's services (version 4).
func VerifySignature(r *http.Request, body []byte, key, secret, service string) error {
	fields := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	if len(scope) != 5 {
		return fmt.Errorf("the request is not signed: %q", r.Header.Get("Authorization"))
	}
	if err := errors.Join(want("the access key", scope[0], key), want("the service", scope[3], service)); err != nil {
		return err
	}
	text := strings.Join([]string{"AWS4-HMAC-SHA256", r.Header.Get("X-Amz-Date"), strings.Join(scope[1:], "/"),
		sum(canonical(r, body, strings.Split(fields["SignedHeaders"], ";")))}, "\n")
	mac := []byte("AWS4" + secret)
	for _, part := range append(scope[1:], text) {
		hash := hmac.New(sha256.New, mac)
		hash.Write([]byte(part))
		mac = hash.Sum(nil)
	}
	return want("the signature", fields["Signature"], hex.EncodeToString(mac))
}

func canonical(r *http.Request, body []byte, signed []string) string {
	lines := []string{r.Method, r.URL.EscapedPath(), r.URL.Query().Encode()}
	sort.Strings(signed)
	for _, name := range signed {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		lines = append(lines, name+":"+strings.TrimSpace(value))
	}
	payload := r.Header.Get("X-Amz-Content-Sha256") // S3's clients need not have read it
	if payload == "" {
		payload = sum(string(body))
	}
	return strings.Join(append(lines, "", strings.Join(signed, ";"), payload), "\n")
}

func sum(text string) string {
	digest := sha256.Sum256([]byte(text))
	return hex.EncodeToString(digest[:])
}
