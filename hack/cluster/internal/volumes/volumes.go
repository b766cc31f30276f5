// Package volumes gives claims of the cluster's storage class their volumes: directories of this machine.
package volumes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/kube"
)

// Class is the name of the storage class, and of who provides for it.
const (
	Class       = "proa-local"
	Provisioner = "proa.dev/local"
)

// provisionedBy is the annotation by which a volume is known as one of ours.
const provisionedBy = "pv.kubernetes.io/provisioned-by"

const (
	claimsPath  = "/api/v1/persistentvolumeclaims"
	volumesPath = "/api/v1/persistentvolumes"
)

// A Server makes volumes below a directory, which is on the one node of the cluster.
type Server struct {
	Client *kube.Client
	Dir    string
	Node   string
	// Say tells what went wrong; it is tried again.
	Say func(format string, args ...any)
}

// Run serves claims until ctx ends.
func (s Server) Run(ctx context.Context) error {
	wake := make(chan struct{}, 1)
	signal := func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	for _, path := range []string{claimsPath, volumesPath} {
		go s.watch(ctx, path, signal)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		}
		if err := s.serve(ctx); err != nil && ctx.Err() == nil {
			s.Say("%v", err)
			time.AfterFunc(time.Second, signal)
		}
	}
}

// watch signals changes of a collection, and connects again when the connection ends.
func (s Server) watch(ctx context.Context, path string, signal func()) {
	for ctx.Err() == nil {
		if err := s.Client.Watch(ctx, path, signal); err != nil && ctx.Err() == nil {
			s.Say("watching %s: %v", path, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// A claim is what counts of a PersistentVolumeClaim.
type claim struct {
	Metadata struct {
		Name, Namespace, UID, DeletionTimestamp string
	}
	Spec struct {
		StorageClassName, VolumeName, VolumeMode string
		AccessModes                              []string
		Resources                                struct{ Requests map[string]string }
	}
	Status struct{ Phase string }
}

// A volume is what counts of a PersistentVolume.
type volume struct {
	Metadata struct {
		Name        string
		Annotations map[string]string
	}
	Spec   struct{ Local struct{ Path string } }
	Status struct{ Phase string }
}

// serve makes the volumes that are missing and removes those that nobody claims any more.
func (s Server) serve(ctx context.Context) error {
	var claims []claim
	if err := s.Client.List(ctx, claimsPath, &claims); err != nil {
		return err
	}
	var errs []error
	for _, c := range claims {
		if c.Spec.StorageClassName == Class && c.Spec.VolumeName == "" && c.Status.Phase == "Pending" && c.Metadata.DeletionTimestamp == "" {
			errs = append(errs, s.provide(ctx, c))
		}
	}
	var volumes []volume
	errs = append(errs, s.Client.List(ctx, volumesPath, &volumes))
	for _, v := range volumes {
		if v.Status.Phase == "Released" && v.Metadata.Annotations[provisionedBy] == Provisioner {
			errs = append(errs, s.remove(ctx, v))
		}
	}
	return errors.Join(errs...)
}

func (s Server) provide(ctx context.Context, c claim) error {
	name := "pvc-" + c.Metadata.UID
	dir := filepath.Join(s.Dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the volume of %s/%s: %w", c.Metadata.Namespace, c.Metadata.Name, err)
	}
	if err := os.Chmod(dir, 0o777); err != nil { // whoever the pod runs as
		return fmt.Errorf("making the volume of %s/%s: %w", c.Metadata.Namespace, c.Metadata.Name, err)
	}
	return s.Client.Apply(ctx, volumesPath, name, s.manifest(name, dir, c))
}

// manifest is the PersistentVolume of a claim.
func (s Server) manifest(name, dir string, c claim) any {
	type object = map[string]any
	return object{
		"apiVersion": "v1", "kind": "PersistentVolume",
		"metadata": object{"name": name, "annotations": object{provisionedBy: Provisioner}},
		"spec": object{
			"capacity": object{"storage": c.Spec.Resources.Requests["storage"]}, "accessModes": c.Spec.AccessModes,
			"storageClassName": Class, "persistentVolumeReclaimPolicy": "Delete",
			"claimRef": object{"apiVersion": "v1", "kind": "PersistentVolumeClaim",
				"namespace": c.Metadata.Namespace, "name": c.Metadata.Name, "uid": c.Metadata.UID},
			"local": object{"path": dir},
			"nodeAffinity": object{"required": object{"nodeSelectorTerms": []object{{"matchExpressions": []object{
				{"key": "kubernetes.io/hostname", "operator": "In", "values": []string{s.Node}}}}}}},
		},
	}
}

// remove removes a volume and then its object, so that a command that is killed in between leaves no directory behind.
func (s Server) remove(ctx context.Context, v volume) error {
	if dir := v.Spec.Local.Path; filepath.Dir(dir) == filepath.Clean(s.Dir) {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("removing the volume %s: %w", v.Metadata.Name, err)
		}
	}
	return s.Client.Delete(ctx, volumesPath+"/"+v.Metadata.Name)
}

// StorageClass is the manifest of the class; it is the cluster's default.
func StorageClass() json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass",
  "metadata":{"name":%q,"annotations":{"storageclass.kubernetes.io/is-default-class":"true"}},
  "provisioner":%q,"reclaimPolicy":"Delete","volumeBindingMode":"Immediate"}`, Class, Provisioner))
}
