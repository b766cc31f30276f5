package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// objects is the API of one kind of object in one namespace.
type objects[T metav1.Object] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (T, error)
	Patch(ctx context.Context, name string, kind types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (T, error)
	Delete(ctx context.Context, name string, opts metav1.DeleteOptions) error
}

// kind is one kind of the server's objects. All of them have the server's name.
type kind[T metav1.Object] struct {
	server *Server
	word   string
	api    objects[T]
}

func (s *Server) secrets() kind[*corev1.Secret] {
	return kind[*corev1.Secret]{s, "secret", s.client.CoreV1().Secrets(s.cfg.Namespace)}
}

func (s *Server) claims() kind[*corev1.PersistentVolumeClaim] {
	return kind[*corev1.PersistentVolumeClaim]{s, "persistent volume claim", s.client.CoreV1().PersistentVolumeClaims(s.cfg.Namespace)}
}

func (s *Server) services() kind[*corev1.Service] {
	return kind[*corev1.Service]{s, "service", s.client.CoreV1().Services(s.cfg.Namespace)}
}

func (s *Server) deployments() kind[*appsv1.Deployment] {
	return kind[*appsv1.Deployment]{s, "deployment", s.client.AppsV1().Deployments(s.cfg.Namespace)}
}

func (k kind[T]) doing(verb string) string {
	return fmt.Sprintf("%s the %s %s/%s", verb, k.word, k.server.cfg.Namespace, k.server.cfg.Name)
}

// find returns the object if it is there. One that proa didn't make is an error.
func (k kind[T]) find(ctx context.Context) (object T, found bool, err error) {
	object, err = k.api.Get(ctx, k.server.cfg.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return object, false, nil
	}
	if err != nil {
		return object, false, k.server.explain(ctx, k.doing("looking at"), err)
	}
	if object.GetLabels()[labelServer] != k.server.cfg.Name {
		return object, false, k.server.foreign(k.word)
	}
	return object, true, nil
}

// apply makes the object what it should be; what others have set besides stays.
func (k kind[T]) apply(ctx context.Context, want T) error {
	if _, _, err := k.find(ctx); err != nil {
		return err
	}
	data, err := json.Marshal(want)
	if err != nil {
		return fmt.Errorf("encoding the %s: %w", k.word, err)
	}
	return k.patch(ctx, types.ApplyPatchType, data)
}

func (k kind[T]) patch(ctx context.Context, how types.PatchType, data []byte) error {
	opts := metav1.PatchOptions{FieldManager: managedBy}
	if how == types.ApplyPatchType {
		opts.Force = ptr(true)
	}
	_, err := k.api.Patch(ctx, k.server.cfg.Name, how, data, opts)
	return k.server.explain(ctx, k.doing("making"), err)
}

// remove deletes the object if it is there and proa's own.
func (k kind[T]) remove(ctx context.Context) error {
	_, found, err := k.find(ctx)
	if err != nil || !found {
		return err
	}
	err = k.api.Delete(ctx, k.server.cfg.Name, metav1.DeleteOptions{PropagationPolicy: ptr(metav1.DeletePropagationBackground)})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return k.server.explain(ctx, k.doing("deleting"), err)
}
