package kubernetes

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/internal/strict"
	"github.com/proa-ml/proa/stack"
)

// checkClass finds out whether anything can provide the volume, before a claim waits for it for ever. Who may not look at
// storage classes learns it from the claim.
func (s *Server) checkClass(ctx context.Context) error {
	classes, err := s.client.StorageV1().StorageClasses().List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) {
		return nil
	}
	if err != nil {
		return s.explain(ctx, "looking at the cluster's storage classes", err)
	}
	volumes, err := s.client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) {
		return nil
	}
	if err != nil {
		return s.explain(ctx, "looking at the cluster's volumes", err)
	}
	return chooseClass(s.cfg.StorageClass, classes.Items, volumes.Items)
}

// defaultClass is the annotation of the class that claims get which name none.
const defaultClass = "storageclass.kubernetes.io/is-default-class"

// chooseClass says what is wrong with a storage class; an empty one stands for the default.
func chooseClass(wanted string, classes []storagev1.StorageClass, volumes []corev1.PersistentVolume) error {
	var known []string
	for _, class := range classes {
		if class.Name == wanted || wanted == "" && class.Annotations[defaultClass] == "true" {
			return nil
		}
		known = append(known, class.Name)
	}
	for _, v := range volumes { // made by hand, for claims of that class or of none
		if v.Spec.StorageClassName == wanted && v.Status.Phase == corev1.VolumeAvailable {
			return nil
		}
	}
	list := "it has none at all"
	if len(known) > 0 {
		list = "it has: " + strings.Join(known, ", ")
	}
	if wanted != "" {
		hint := "name one that exists with --storage_class"
		if near := strict.Nearest(wanted, known); near != "" {
			hint = "did you mean --storage_class=" + near + "?"
		}
		return stack.Mistake(hint, "the cluster has no storage class %q; %s", wanted, list)
	}
	hint := "install a provisioner of volumes in the cluster, or make a persistent volume by hand"
	if len(known) > 0 {
		hint = "choose one: --storage_class=" + known[0]
	}
	return stack.Mistake(hint, "the cluster has no default storage class to provide a volume; %s", list)
}

// changeOf says whether a claim that is there has to grow. Nothing else of it can change.
func (cfg Config) changeOf(claim *corev1.PersistentVolumeClaim) (grow bool, err error) {
	if claim.DeletionTimestamp != nil {
		return false, stack.Mistake("finish that first: `proa metadata-store down NAME --force`", "the volume claim %s/%s is being removed", cfg.Namespace, cfg.Name)
	}
	if class := claim.Spec.StorageClassName; cfg.StorageClass != "" && class != nil && *class != cfg.StorageClass {
		return false, stack.Mistake(fmt.Sprintf("set it back: --storage_class=%s; or make another server with --deployment_name", *class),
			"the volume is there already, of the storage class %q, and can't become one of %q", *class, cfg.StorageClass)
	}
	has := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	switch wanted := resource.MustParse(cfg.Capacity); wanted.Cmp(has) {
	case 0:
		return false, nil
	case -1:
		return false, stack.Mistake(fmt.Sprintf("set it back: --storage_capacity=%s; or make another server with --deployment_name", has.String()),
			"the volume is there already, with %s, and can't shrink to %s", has.String(), cfg.Capacity)
	}
	return true, nil
}
