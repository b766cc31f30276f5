package volumes

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"testing"
)

// TestManifest: a volume is bound to the one claim that it was made for.
func TestManifest(t *testing.T) {
	var c claim
	const text = `{"metadata": {"name": "data", "namespace": "team", "uid": "u-1"},
	  "spec": {"storageClassName": "proa-local", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}}`
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	manifest, err := json.Marshal(Server{Dir: "/volumes", Node: "node"}.manifest("pvc-u-1", filepath.Join("/volumes", "pvc-u-1"), c))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Metadata struct{ Name string }
		Spec     struct {
			Capacity                                        map[string]string
			StorageClassName, PersistentVolumeReclaimPolicy string
			ClaimRef                                        struct{ Namespace, Name, UID string }
			Local                                           struct{ Path string }
		}
	}
	if err := json.Unmarshal(manifest, &got); err != nil {
		t.Fatal(err)
	}
	want := got
	want.Metadata.Name = "pvc-u-1"
	want.Spec.Capacity = map[string]string{"storage": "10Gi"}
	want.Spec.StorageClassName, want.Spec.PersistentVolumeReclaimPolicy = Class, "Delete"
	want.Spec.ClaimRef = struct{ Namespace, Name, UID string }{"team", "data", "u-1"}
	want.Spec.Local.Path = "/volumes/pvc-u-1"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestStorageClass(t *testing.T) {
	if class := StorageClass(); !json.Valid(class) {
		t.Errorf("not JSON: %s", class)
	}
}
