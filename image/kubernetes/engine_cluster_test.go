package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/testbed/rights"
)

// TestClusterBuilds: two builds at once push to a registry with a password at its inner address, no object of the cluster holds the
// password, and nothing is left. A registry that takes nothing is told of as by the other builders.
func TestClusterBuilds(t *testing.T) {
	w := newWorld(t, nil)
	w.check(w.cluster.makeNamespace(w.ctx))
	pods := w.watch()
	results := make(chan error, 2)
	for _, word := range []string{"one", "two"} {
		go func() {
			_, err := w.build(w.ctx, w.cluster, "FROM scratch\nCOPY word /"+word+"\n")
			results <- err
		}()
	}
	for range 2 {
		w.check(<-results)
	}
	w.mu.Lock()
	pushed := slices.DeleteFunc(slices.Clone(w.paths), func(path string) bool { return !strings.HasPrefix(path, "PUT /v2/proa/manifests/recipe-") })
	w.refuse = http.StatusMethodNotAllowed
	w.mu.Unlock()
	if len(pushed) != 2 {
		t.Errorf("pushed to the inner address: %v", pushed)
	}
	_, err := w.build(w.ctx, w.cluster, "FROM scratch\nCOPY word /three\n")
	if !errors.Is(err, driver.ErrRefused) || !strings.Contains(err.Error(), "could not push to proa: registry "+w.address+" is read-only, or a mirror") {
		t.Errorf("a registry that is read-only: %v", err)
	}
	w.eventually("the end of all builders", w.empty)
	names := map[string]bool{}
	for _, pod := range pods() {
		data, err := json.Marshal(pod)
		w.check(err)
		if strings.Contains(string(data), password) {
			t.Errorf("a pod with the registry's password: %s", data)
		}
		names[pod.Name] = true
	}
	if len(names) != 3 {
		t.Errorf("builders: %v", names)
	}
}

// watch watches the pods; the function that it returns ends that and returns all that was seen of them.
func (w *world) watch() func() []*corev1.Pod {
	w.t.Helper()
	watching, err := w.cluster.client.CoreV1().Pods(w.cfg.Namespace).Watch(w.ctx, metav1.ListOptions{})
	w.check(err)
	var pods []*corev1.Pod
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range watching.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				pods = append(pods, pod)
			}
		}
	}()
	return func() []*corev1.Pod {
		watching.Stop()
		<-done
		return pods
	}
}

// TestClusterFaults: whatever ends a build, nothing of it is left, and the error says what it was.
func TestClusterFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault func(w *world, cancel context.CancelFunc)
		check func(t *testing.T, err error)
	}{
		"interrupted": {
			func(_ *world, cancel context.CancelFunc) { cancel() },
			func(t *testing.T, err error) {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			},
		},
		"builder killed": {
			func(w *world, _ context.CancelFunc) {
				w.check(w.cluster.client.CoreV1().Pods(w.cfg.Namespace).DeleteCollection(w.ctx, metav1.DeleteOptions{GracePeriodSeconds: ptr(int64(0))}, metav1.ListOptions{}))
			},
			func(t *testing.T, err error) {
				if !errors.Is(err, driver.ErrEngine) || !strings.Contains(err.Error(), "lost during the build") || !strings.Contains(err.Error(), again) {
					t.Errorf("got %v", err)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			ctx, cancel := context.WithCancel(w.ctx)
			defer cancel()
			result := make(chan error, 1)
			go func() {
				_, err := w.build(ctx, w.cluster, w.hang())
				result <- err
			}()
			select {
			case <-w.hanging:
			case err := <-result:
				t.Fatalf("the build ended before it was to: %v", err)
			}
			c.fault(w, cancel)
			c.check(t, <-result)
			w.eventually("the end of the builder", w.empty)
		})
	}
}

// TestClusterClientGone: a builder whose client says nothing more ends by itself; the cluster removes the rest after a minute.
func TestClusterClientGone(t *testing.T) {
	w := newWorld(t, nil)
	const lease = 4 * time.Second
	conn, err := w.engine(&Options{Lease: lease}).Connect(w.ctx, quiet{})
	w.check(err)
	b, ok := conn.(*builder)
	if !ok {
		t.Fatalf("got %T", conn)
	}
	began := b.began
	w.eventually("the end that is put off", func() (bool, error) {
		job, err := w.cluster.jobs().Get(w.ctx, b.name, metav1.GetOptions{})
		return err == nil && deadline(job) > lease && time.Since(began) > lease, err
	})
	if pods := w.running(); pods != 1 {
		t.Fatalf("%d pods run after the lease was put off", pods)
	}
	b.stop() // as if it were killed
	b.work.Wait()
	w.eventually("the end of the job", func() (bool, error) {
		job, err := w.cluster.jobs().Get(w.ctx, b.name, metav1.GetOptions{})
		return err == nil && finished(job) && *job.Spec.TTLSecondsAfterFinished == int32(ttl.Seconds()), err
	})
	w.eventually("the end of the pod", func() (bool, error) { return w.running() == 0, nil })
	if err := b.Lost(w.ctx, errors.New("EOF")); !errors.Is(err, driver.ErrEngine) {
		t.Errorf("got %v", err)
	}
	w.check(b.API.Close())
}

func (w *world) running() int {
	w.t.Helper()
	pods, err := w.cluster.client.CoreV1().Pods(w.cfg.Namespace).List(w.ctx, metav1.ListOptions{FieldSelector: "status.phase=Running"})
	w.check(err)
	return len(pods.Items)
}

// TestClusterKeepAlive: a builder that is kept serves the next build, which finds what was cached, and another one that began meanwhile.
// The rights that are printed suffice for all of it, and none of them is too much.
func TestClusterKeepAlive(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.KeepAlive = time.Minute })
	mason, notes := w.tenant("mason")
	for _, word := range []string{"one", "two"} {
		if _, err := w.build(w.ctx, mason, "FROM scratch\nCOPY word /"+word+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	jobs, err := w.cluster.jobs().List(w.ctx, metav1.ListOptions{})
	w.check(err)
	if len(jobs.Items) != 1 || w.running() != 1 || deadline(&jobs.Items[0]) < time.Minute {
		t.Fatalf("jobs %v", jobs.Items)
	}
	pods, err := w.cluster.client.CoreV1().Pods(w.cfg.Namespace).List(w.ctx, metav1.ListOptions{FieldSelector: "status.phase=Running"})
	w.check(err)
	w.overTLS(pods.Items[0].Name)
	// One that has ended is replaced.
	w.check(w.cluster.client.CoreV1().Pods(w.cfg.Namespace).DeleteCollection(w.ctx, metav1.DeleteOptions{GracePeriodSeconds: ptr(int64(0))}, metav1.ListOptions{}))
	w.eventually("the end of the job", func() (bool, error) {
		job, err := w.cluster.jobs().Get(w.ctx, jobs.Items[0].Name, metav1.GetOptions{})
		return err == nil && finished(job), err
	})
	_, err = w.build(w.ctx, mason, "FROM scratch\nCOPY word /three\n")
	w.check(err)
	done := append(notes.Taken(), "list events") // which TestClusterRefused can't do without, and here only a slow cluster makes
	slices.Sort(done)
	if diff := cmp.Diff(rights.Permitted(Rules(w.cfg.Namespace)), slices.Compact(done)); diff != "" {
		t.Errorf("what is permitted and what was done differ (-permitted +done):\n%s", diff)
	}
}

// TestClusterRefused: a namespace whose Pod Security level doesn't let BuildKit run is told of, which takes no other rights than
// those that are printed, and nothing is left there.
func TestClusterRefused(t *testing.T) {
	w := newWorld(t, nil)
	mason, notes := w.tenant("mason")
	level := []byte(`{"metadata":{"labels":{"` + labelSecurity + `":"baseline"}}}`)
	_, err := w.cluster.client.CoreV1().Namespaces().Patch(w.ctx, w.cfg.Namespace, types.MergePatchType, level, metav1.PatchOptions{})
	w.check(err)
	_, err = w.build(w.ctx, mason, "FROM scratch\nCOPY word /\n")
	if !slices.Contains(notes.Taken(), "list events") {
		t.Errorf("took only %v", notes.Taken())
	}
	if err == nil || !strings.Contains(err.Error(), "its pod can't be made") || !strings.Contains(err.Error(), "seccompProfile") {
		t.Errorf("got %v", err)
	}
	w.eventually("the end of the job", w.empty)
}

// quiet is the Progress of nobody.
type quiet struct{}

func (quiet) Phase(string)  {}
func (quiet) Detail(string) {}
