package kubernetes

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/metadata/drivertest"
	"github.com/proa-ml/proa/metadata/mysql"
)

// TestServer takes one server through its life.
func TestServer(t *testing.T) {
	s := serverOf(t, onCluster(t))
	_, err := s.Open(limited(t))
	mistake(t, err, "is not up", "proa stack up")
	upFromTwoMachines(t, s)
	t.Run("conformance", func(t *testing.T) { testConformance(t, s) })
	t.Run("opened at once", func(t *testing.T) { testOpenedAtOnce(t, s) })
	t.Run("log", func(t *testing.T) { testLog(t, s) })
	store := open(t, s)
	if err := store.CreateRun(limited(t), driver.Run{ID: "first", Name: "first"}); err != nil {
		t.Fatal(err)
	}
	t.Run("pod deleted", func(t *testing.T) { testPodDeleted(t, s, store) })
	t.Run("up again", func(t *testing.T) { testUpAgain(t, s) })
	t.Run("not permitted", func(t *testing.T) { testNotPermitted(t, s) })
	t.Run("down and up", func(t *testing.T) { testDownAndUp(t, s) })
	t.Run("secret lost", func(t *testing.T) { testSecretLost(t, s) })
	t.Run("removed", func(t *testing.T) { testRemoved(t, s) })
}

// upFromTwoMachines makes one server, with one set of passwords.
func upFromTwoMachines(t *testing.T, s *Server) {
	t.Helper()
	var group sync.WaitGroup
	for _, machine := range []*Server{s, serverOf(t, s.cfg)} {
		group.Go(func() {
			if err := machine.Up(limited(t), ignore); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if t.Failed() {
		t.FailNow()
	}
	onlyPod(t, s)
}

// asRoot is how root reaches a new database of the server.
func asRoot(t *testing.T, s *Server) mysql.Config {
	t.Helper()
	cfg, err := s.Inside(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := s.secrets().api.Get(limited(t), s.cfg.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Username, cfg.Password = "root", string(secret.Data[keyRootPassword])
	cfg.Database = "test_" + strings.ToLower(rand.Text())
	return cfg
}

func testConformance(t *testing.T, s *Server) {
	drivertest.Run(t, func(t *testing.T) func(*testing.T) driver.Store {
		cfg := asRoot(t, s)
		return func(t *testing.T) driver.Store {
			store, err := mysql.Open(limited(t), cfg, &mysql.Options{Dial: s.dial})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = store.Close() })
			return store
		}
	})
}

// testOpenedAtOnce migrates one new database from clients, who come through the API server, and, where this machine reaches
// pods, from the way that coordinators come, all at once.
func testOpenedAtOnce(t *testing.T, s *Server) {
	cfg := asRoot(t, s)
	address := net.JoinHostPort(onlyPod(t, s).Status.PodIP, strconv.Itoa(port))
	direct := func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", address) }
	if conn, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(limited(t), "tcp", address); err != nil {
		t.Logf("pods are not reached from here, so all go through the API server: %v", err)
		direct = s.dial
	} else if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	stores := make(chan driver.Store, 8)
	for range cap(stores) / 2 {
		for _, dial := range []func(context.Context) (net.Conn, error){s.dial, direct} {
			group.Go(func() {
				store, err := mysql.Open(limited(t), cfg, &mysql.Options{Dial: dial})
				if err != nil {
					t.Error(err)
					return
				}
				stores <- store
			})
		}
	}
	group.Wait()
	close(stores)
	first := true
	for store := range stores {
		err := store.CreateRun(limited(t), driver.Run{ID: "only", Name: "only"})
		if first && err != nil || !first && !errors.Is(err, driver.ErrConflict) {
			t.Errorf("got %v; all have to see one and the same table of runs", err)
		}
		first = false
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

func testLog(t *testing.T, s *Server) {
	var out bytes.Buffer
	if err := s.Logs(limited(t), &out, false); err != nil || !strings.Contains(out.String(), "ready for connections") {
		t.Errorf("got %v and the log\n%s", err, out.String())
	}
}

// testPodDeleted: a store that is open works again once the pod is back; until then the errors say that waiting helps.
func testPodDeleted(t *testing.T, s *Server, store driver.Store) {
	before := onlyPod(t, s)
	err := s.client.CoreV1().Pods(before.Namespace).Delete(limited(t), before.Name, metav1.DeleteOptions{GracePeriodSeconds: ptr(int64(0))})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the run is there again", func(ctx context.Context) bool {
		_, err := store.Run(ctx, "first")
		if err != nil && !errors.Is(err, driver.ErrUnavailable) {
			t.Fatalf("got %v, want an error that says that waiting helps", err)
		}
		return err == nil
	})
	eventually(t, "another pod is there", func(ctx context.Context) bool {
		pods, err := s.pods(ctx)
		return err == nil && len(pods) == 1 && pods[0].UID != before.UID && ready(&pods[0])
	})
}

// testUpAgain: what is up is left as it is.
func testUpAgain(t *testing.T, s *Server) {
	pod := onlyPod(t, s)
	up(t, s)
	up(t, serverOf(t, s.cfg)) // another machine's
	if again := onlyPod(t, s); again.UID != pod.UID {
		t.Errorf("pod %s was replaced by %s", pod.Name, again.Name)
	}
}

func testDownAndUp(t *testing.T, s *Server) {
	if err := s.Down(limited(t), ignore); err != nil {
		t.Fatal(err)
	}
	if pods, err := s.pods(limited(t)); err != nil || len(pods) > 0 {
		t.Errorf("got %d pods, %v; want none", len(pods), err)
	}
	_, err := s.Open(limited(t))
	mistake(t, err, "is not up", "proa stack up")
	mistake(t, s.Logs(limited(t), &bytes.Buffer{}, false), "is not up", "proa stack up")
	if err := s.Down(limited(t), ignore); err != nil {
		t.Errorf("down twice: %v", err)
	}
	up(t, s)
	if _, err := open(t, s).Run(limited(t), "first"); err != nil {
		t.Errorf("the run from before: %v", err)
	}
}

// testSecretLost: data whose passwords are gone are not given new ones.
func testSecretLost(t *testing.T, s *Server) {
	secret, err := s.secrets().api.Get(limited(t), s.cfg.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.secrets().remove(limited(t)); err != nil {
		t.Fatal(err)
	}
	mistake(t, s.Up(limited(t), ignore), "its passwords is gone", "--force")
	back := &corev1.Secret{ObjectMeta: s.cfg.meta(), Data: secret.Data}
	if _, err := s.client.CoreV1().Secrets(s.cfg.Namespace).Create(limited(t), back, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	up(t, s)
}

func testRemoved(t *testing.T, s *Server) {
	if before := left(t, s); len(before) != 6 {
		t.Errorf("got %v, want secret, claim, service, deployment, pod and volume", before)
	}
	for range 2 { // the second time there is nothing to do
		if err := s.Remove(limited(t), ignore); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "nothing is left", func(context.Context) bool { return len(left(t, s)) == 0 })
}
