package kubernetes

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/stack"
)

// Up makes what is missing, starts the server and returns when it serves; waiting is told why it doesn't yet. What is there
// stays, the data and the passwords above all.
func (s *Server) Up(ctx context.Context, waiting func(string)) error {
	if err := s.makeNamespace(ctx); err != nil {
		return err
	}
	if err := s.makeStorage(ctx); err != nil {
		return err
	}
	if err := s.services().apply(ctx, s.cfg.buildService()); err != nil {
		return err
	}
	if err := s.deployments().apply(ctx, s.cfg.buildDeployment()); err != nil {
		return err
	}
	if err := s.await(ctx, waiting); err != nil {
		return err
	}
	waiting("connecting to it")
	store, err := s.Open(ctx) // which also makes the tables
	if err != nil {
		return err
	}
	return store.Close()
}

func (s *Server) makeNamespace(ctx context.Context) error {
	namespaces := s.client.CoreV1().Namespaces()
	_, err := namespaces.Get(ctx, s.cfg.Namespace, metav1.GetOptions{})
	if err == nil || apierrors.IsForbidden(err) { // who may not look may still use it
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return s.explain(ctx, "looking at namespace "+s.cfg.Namespace, err)
	}
	_, err = namespaces.Create(ctx, s.cfg.buildNamespace(), metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return s.explain(ctx, "making namespace "+s.cfg.Namespace, err)
}

// makeStorage makes the claim of a volume and, before it, the Secret: passwords are made once, and data without their
// passwords are never made.
func (s *Server) makeStorage(ctx context.Context) error {
	claim, claimed, err := s.claims().find(ctx)
	if err != nil {
		return err
	}
	if !claimed {
		if err := s.checkClass(ctx); err != nil {
			return err
		}
	}
	if err := s.makeSecret(ctx, claimed); err != nil {
		return err
	}
	if !claimed {
		return s.claims().apply(ctx, s.cfg.buildClaim())
	}
	grow, err := s.cfg.changeOf(claim)
	if err != nil || !grow {
		return err
	}
	size := fmt.Sprintf(`{"spec":{"resources":{"requests":{"storage":%q}}}}`, s.cfg.Capacity)
	err = s.claims().patch(ctx, types.MergePatchType, []byte(size))
	if err != nil && !errors.Is(err, driver.ErrUnavailable) {
		return stack.Mistake("give --storage_capacity its former value, or allow its storage class to expand volumes", "the volume can't grow: %v", err)
	}
	return err
}

func (s *Server) makeSecret(ctx context.Context, claimed bool) error {
	_, found, err := s.secrets().find(ctx)
	if err != nil || found {
		return err
	}
	if claimed {
		return stack.Mistake("bring the secret back; or, if the data may go: `proa metadata-store down NAME --force`",
			"the volume of the %s is there, but the secret %q with its passwords is gone", s, s.cfg.Name)
	}
	rootPassword, err := s.password()
	if err != nil {
		return err
	}
	password, err := s.password()
	if err != nil {
		return err
	}
	_, err = s.client.CoreV1().Secrets(s.cfg.Namespace).Create(ctx, s.cfg.buildSecret(rootPassword, password), metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) { // another machine brings it up, too
		return nil
	}
	return s.explain(ctx, s.secrets().doing("making"), err)
}

// password makes a random password of letters and digits.
func (s *Server) password() (string, error) {
	random := make([]byte, 20)
	if _, err := io.ReadFull(s.rand, random); err != nil {
		return "", fmt.Errorf("making a password: %w", err)
	}
	return base32.StdEncoding.EncodeToString(random), nil
}

// Down stops the server; its data stay.
func (s *Server) Down(ctx context.Context, waiting func(string)) error {
	_, found, err := s.deployments().find(ctx)
	if err != nil || !found {
		return err
	}
	if err := s.deployments().patch(ctx, types.MergePatchType, []byte(`{"spec":{"replicas":0}}`)); err != nil {
		return err
	}
	return s.until(ctx, waiting, "its pod ends", s.podsGone)
}

// Remove removes the server with its data. The Secret goes last: should this be interrupted, it can be done again.
func (s *Server) Remove(ctx context.Context, waiting func(string)) error {
	if err := s.deployments().remove(ctx); err != nil {
		return err
	}
	if err := s.until(ctx, waiting, "its pod ends", s.podsGone); err != nil {
		return err
	}
	if err := s.services().remove(ctx); err != nil {
		return err
	}
	if err := s.claims().remove(ctx); err != nil {
		return err
	}
	err := s.until(ctx, waiting, "its volume is given back", func(ctx context.Context) (bool, error) {
		_, found, err := s.claims().find(ctx)
		return !found, err
	})
	if err != nil {
		return err
	}
	return s.secrets().remove(ctx)
}

func (s *Server) podsGone(ctx context.Context) (bool, error) {
	pods, err := s.pods(ctx)
	return len(pods) == 0, err
}

func (s *Server) pods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := s.client.CoreV1().Pods(s.cfg.Namespace).List(ctx, metav1.ListOptions{LabelSelector: s.cfg.selector()})
	if err != nil {
		return nil, s.explain(ctx, "looking at the pods of the "+s.String(), err)
	}
	return list.Items, nil
}

// interval is the time between two looks at the cluster. What is looked at is of several kinds, so it is not watched.
const interval = 400 * time.Millisecond

// downLimit is how long the end of a pod or of a claim may take.
const downLimit = 3 * time.Minute

// until waits for something to have happened.
func (s *Server) until(ctx context.Context, waiting func(string), what string, happened func(context.Context) (bool, error)) error {
	limited, cancel := context.WithTimeout(ctx, downLimit)
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		done, err := happened(limited)
		if done || err != nil && !errors.Is(err, driver.ErrUnavailable) {
			return err
		}
		waiting("waiting until " + what)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limited.Done():
			return fmt.Errorf("%w: after %s it is still to happen that %s", driver.ErrUnavailable, downLimit, what)
		case <-tick.C:
		}
	}
}
