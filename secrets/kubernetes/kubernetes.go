// Package kubernetes keeps secrets as Secrets of a cluster's namespace, so that a team that shares the cluster shares them.
// Only the user's own machine reads them; a run's pods are given what they need in the run's Secret.
package kubernetes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proa-ml/proa/secrets/driver"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
)

const (
	// The labels of our Secrets; others of the namespace are none of our business.
	labelManagedBy = "app.kubernetes.io/managed-by"
	labelComponent = "proa.dev/component"
	managedBy      = "proa"
	component      = "secret"
	// annotationName is the secret's exact name.
	annotationName = "proa.dev/secret"

	// callTimeout bounds one call of the cluster's API.
	callTimeout = 15 * time.Second
	// pageSize is how many Secrets are listed at a time.
	pageSize = 500
)

// Config says where the secrets are.
type Config struct {
	Client    kubernetes.Interface
	Namespace string
	// Where describes the cluster to people.
	Where string
}

// Store keeps secrets in a namespace.
type Store struct{ Config }

var _ driver.Store = (*Store)(nil)

// New returns the store of a namespace, without contacting the cluster.
func New(c Config) *Store { return &Store{c} }

func (s *Store) api() typed.SecretInterface { return s.Client.CoreV1().Secrets(s.Namespace) }

// Names implements driver.Store.
func (s *Store) Names(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var names []string
	opts := metav1.ListOptions{LabelSelector: labelManagedBy + "=" + managedBy + "," + labelComponent + "=" + component, Limit: pageSize}
	for {
		page, err := s.api().List(ctx, opts)
		if err != nil {
			return nil, s.explain("listing the secrets", err)
		}
		for _, found := range page.Items {
			if name := found.Annotations[annotationName]; name != "" {
				names = append(names, name)
			}
		}
		if opts.Continue = page.Continue; opts.Continue == "" {
			slices.Sort(names)
			return names, nil
		}
	}
}

// Get implements driver.Store.
func (s *Store) Get(ctx context.Context, name string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := s.find(ctx, name)
	if err != nil {
		return nil, err
	}
	return values(found), nil
}

// Create implements driver.Store.
func (s *Store) Create(ctx context.Context, name string, values map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	made := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: objectName(name), Namespace: s.Namespace,
			Labels:      map[string]string{labelManagedBy: managedBy, labelComponent: component},
			Annotations: map[string]string{annotationName: name},
		},
		Type: corev1.SecretTypeOpaque, Data: data(values),
	}
	_, err := s.api().Create(ctx, made, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return driver.ErrExists
	}
	return s.explain("creating the secret "+name, err)
}

// Update implements driver.Store.
func (s *Store) Update(ctx context.Context, name string, change func(map[string]string) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for {
		found, err := s.find(ctx, name)
		if err != nil {
			return err
		}
		changed := values(found)
		if err := change(changed); err != nil {
			return err
		}
		found.Data = data(changed)
		_, err = s.api().Update(ctx, found, metav1.UpdateOptions{})
		switch {
		case apierrors.IsConflict(err): // somebody else was faster: again, on what they made of it
		case apierrors.IsNotFound(err):
			return driver.ErrNotFound
		default:
			return s.explain("changing the secret "+name, err)
		}
	}
}

// Delete implements driver.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := s.find(ctx, name)
	if err != nil {
		return err
	}
	err = s.api().Delete(ctx, found.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &found.UID}})
	if apierrors.IsNotFound(err) {
		return driver.ErrNotFound
	}
	return s.explain("deleting the secret "+name, err)
}

// find returns the Secret that keeps a secret.
func (s *Store) find(ctx context.Context, name string) (*corev1.Secret, error) {
	found, err := s.api().Get(ctx, objectName(name), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, driver.ErrNotFound
	case err != nil:
		return nil, s.explain("reading the secret "+name, err)
	case found.Annotations[annotationName] != name || found.Labels[labelComponent] != component:
		return nil, fmt.Errorf("the Secret %s of the namespace %s is somebody else's: it does not say that it keeps %q", found.Name, s.Namespace, name)
	}
	return found, nil
}

// explain says what an error of the cluster's API means.
func (s *Store) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	doing = fmt.Sprintf("%s in the namespace %s of %s", doing, s.Namespace, s.Where)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: no answer in time: %w", doing, err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s: the cluster does not accept the credentials (log in again, or choose another context): %w", doing, err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: not permitted (`proa orchestrator permissions --for=secrets` prints the role that permits it): %w", doing, err)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%s: the namespace does not exist (`kubectl create namespace %s` makes it): %w", doing, s.Namespace, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// objectName is the name of the Secret that keeps a secret. Names of objects know fewer letters, so that a name which
// isn't one already gets a hash.
func objectName(name string) string {
	const prefix, most = "proa-secret-", 60
	slug := strings.Trim(strings.ReplaceAll(strings.ToLower(name), "_", "-"), "-")
	if slug == name && len(name) <= most {
		return prefix + name
	}
	sum := sha256.Sum256([]byte(name))
	return prefix + strings.TrimRight(slug[:min(len(slug), most)], "-") + "." + hex.EncodeToString(sum[:8])
}

func values(secret *corev1.Secret) map[string]string {
	all := map[string]string{}
	for key, value := range secret.Data {
		all[key] = string(value)
	}
	return all
}

func data(values map[string]string) map[string][]byte {
	all := map[string][]byte{}
	for key, value := range values {
		all[key] = []byte(value)
	}
	return all
}
