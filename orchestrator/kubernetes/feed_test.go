package kubernetes

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// server plays an API server by a script: one function for each call.
type server struct {
	t       *testing.T
	lists   []func() ([]corev1.Pod, string, error)
	watches []func(version string) ([]watch.Event, error)
	log     []string
	end     context.CancelFunc
}

func (s *server) feed() *feed[corev1.Pod] {
	return &feed[corev1.Pod]{
		list: func(context.Context, metav1.ListOptions) ([]corev1.Pod, string, error) {
			if len(s.lists) == 0 {
				s.end()
				return nil, "", errors.New("the script has ended")
			}
			next := s.lists[0]
			s.lists = s.lists[1:]
			s.note("list")
			return next()
		},
		watch: func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
			if len(s.watches) == 0 {
				s.end()
				return nil, errors.New("the script has ended")
			}
			next := s.watches[0]
			s.watches = s.watches[1:]
			s.note("watch " + o.ResourceVersion)
			events, err := next(o.ResourceVersion)
			if err != nil {
				return nil, err
			}
			w := watch.NewFakeWithChanSize(len(events), false)
			for _, e := range events {
				w.Action(e.Type, e.Object)
			}
			w.Stop()
			return w, nil
		},
		before: func() {},
		sync: func(pods []corev1.Pod) {
			for _, p := range pods {
				s.note("sync " + p.Name)
			}
		},
		set:     func(p *corev1.Pod) { s.note("set " + p.Name) },
		gone:    func(p *corev1.Pod) { s.note("gone " + p.Name) },
		trouble: func(error) {},
		now:     time.Now,
	}
}

func (s *server) note(text string) { s.log = append(s.log, text) }

func podAt(name, version string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: version}}
}

func expired() runtime.Object {
	status := apierrors.NewResourceExpired("too old").Status()
	return &status
}

func TestFeedGoesOnAfterBreaksAndExpiry(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	s := &server{t: t, end: cancel}
	s.lists = []func() ([]corev1.Pod, string, error){
		func() ([]corev1.Pod, string, error) { return nil, "", errors.New("connection refused") },
		func() ([]corev1.Pod, string, error) { return []corev1.Pod{*podAt("a", "5")}, "10", nil },
		func() ([]corev1.Pod, string, error) { return []corev1.Pod{*podAt("b", "30")}, "40", nil },
	}
	s.watches = []func(string) ([]watch.Event, error){
		func(string) ([]watch.Event, error) {
			return []watch.Event{
				{Type: watch.Added, Object: podAt("b", "11")},
				{Type: watch.Bookmark, Object: podAt("", "20")},
			}, nil
		},
		func(string) ([]watch.Event, error) { return nil, errors.New("connection reset") },
		func(string) ([]watch.Event, error) {
			return []watch.Event{{Type: watch.Deleted, Object: podAt("a", "21")}, {Type: watch.Error, Object: expired()}}, nil
		},
		func(string) ([]watch.Event, error) {
			return []watch.Event{{Type: watch.Modified, Object: podAt("b", "41")}}, nil
		},
	}
	if err := s.feed().run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	want := []string{
		"list", "list", "sync a", "watch 10", "set b", "watch 20", "watch 20", "gone a", "list", "sync b", "watch 40", "set b",
	}
	if diff := cmp.Diff(want, s.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestFeedEndsWhenItIsRefusedForLong(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s := &server{t: t, end: cancel}
	refused := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("no role"))
	refuse := func() ([]corev1.Pod, string, error) { return nil, "", refused }
	s.lists = []func() ([]corev1.Pod, string, error){refuse, refuse, refuse}
	f, now := s.feed(), time.Now()
	f.now = func() time.Time { now = now.Add(20 * time.Second); return now }
	if err := f.run(ctx); !apierrors.IsForbidden(err) {
		t.Errorf("ended with %v, want the refusal", err)
	}
}
