package kubernetes

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/stack"
)

func class(name string, isDefault bool) storagev1.StorageClass {
	c := storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if isDefault {
		c.Annotations = map[string]string{defaultClass: "true"}
	}
	return c
}

func volume(class string, phase corev1.PersistentVolumePhase) corev1.PersistentVolume {
	return corev1.PersistentVolume{Spec: corev1.PersistentVolumeSpec{StorageClassName: class}, Status: corev1.PersistentVolumeStatus{Phase: phase}}
}

func TestChooseClass(t *testing.T) {
	classes := []storagev1.StorageClass{class("slow", false), class("fast", true)}
	for name, test := range map[string]struct {
		wanted  string
		classes []storagev1.StorageClass
		volumes []corev1.PersistentVolume
		// problem and hint are words of the error; empty means that there is none.
		problem, hint string
	}{
		"default":          {"", classes, nil, "", ""},
		"named":            {"slow", classes, nil, "", ""},
		"no default":       {"", classes[:1], nil, "no default storage class to provide a volume; it has: slow", "--storage_class=slow"},
		"none at all":      {"", nil, nil, "it has none at all", "install a provisioner"},
		"unknown":          {"quick", classes, nil, `no storage class "quick"; it has: slow, fast`, "--storage_class"},
		"misspelt":         {"fsat", classes, nil, `no storage class "fsat"`, "did you mean --storage_class=fast?"},
		"made by hand":     {"", nil, []corev1.PersistentVolume{volume("", corev1.VolumeAvailable)}, "", ""},
		"manual":           {"manual", nil, []corev1.PersistentVolume{volume("manual", corev1.VolumeAvailable)}, "", ""},
		"taken":            {"", nil, []corev1.PersistentVolume{volume("", corev1.VolumeBound)}, "it has none at all", "persistent volume by hand"},
		"of another class": {"", nil, []corev1.PersistentVolume{volume("manual", corev1.VolumeAvailable)}, "it has none at all", "provisioner"},
	} {
		t.Run(name, func(t *testing.T) {
			err := chooseClass(test.wanted, test.classes, test.volumes)
			if test.problem == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			var mistake *stack.Error
			if !errors.As(err, &mistake) || !strings.Contains(mistake.Text, test.problem) || !strings.Contains(mistake.Hint, test.hint) {
				t.Errorf("got %v (%+v), want %q and the hint %q", err, mistake, test.problem, test.hint)
			}
		})
	}
}

func TestChangeOf(t *testing.T) {
	now := metav1.Now()
	for name, test := range map[string]struct {
		change        func(*Config, *corev1.PersistentVolumeClaim)
		grow          bool
		problem, hint string
	}{
		"the same":         {func(*Config, *corev1.PersistentVolumeClaim) {}, false, "", ""},
		"in other words":   {func(c *Config, _ *corev1.PersistentVolumeClaim) { c.Capacity = "10240Mi" }, false, "", ""},
		"grows":            {func(c *Config, _ *corev1.PersistentVolumeClaim) { c.Capacity = "20Gi" }, true, "", ""},
		"shrinks":          {func(c *Config, _ *corev1.PersistentVolumeClaim) { c.Capacity = "5Gi" }, false, "can't shrink to 5Gi", "--storage_capacity=10Gi"},
		"another class":    {func(c *Config, _ *corev1.PersistentVolumeClaim) { c.StorageClass = "slow" }, false, `can't become one of "slow"`, "--storage_class=fast"},
		"class of default": {func(c *Config, _ *corev1.PersistentVolumeClaim) { c.StorageClass = "" }, false, "", ""},
		"being removed":    {func(_ *Config, p *corev1.PersistentVolumeClaim) { p.DeletionTimestamp = &now }, false, "is being removed", "--force"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			claim := cfg.buildClaim()
			test.change(&cfg, claim)
			grow, err := cfg.changeOf(claim)
			if grow != test.grow || (err != nil) != (test.problem != "") {
				t.Errorf("got %v, %v", grow, err)
			}
			if test.problem != "" {
				mistake(t, err, test.problem, test.hint)
			}
		})
	}
}
