package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// fault is one thing to happen.
type fault struct {
	name string
	// after the fault before it.
	after time.Duration
	// which of those that it may befall, as a fraction of all.
	which float64
	// lasts is how long a service stays away.
	lasts time.Duration
	do    func(*weather, fault) (what string, err error)
}

// kinds are the faults there are, and how often each may happen during a run. A Job waits longer and longer before it
// replaces a coordinator that is lost.
func kinds() []struct {
	most int
	fault
} {
	type kind = struct {
		most int
		fault
	}
	of := func(most int, name string, do func(*weather, fault) (string, error)) kind {
		return kind{most, fault{name: name, do: do}}
	}
	return []kind{
		of(1, "coordinator deleted", deletePod(coordinators, 30)),
		of(1, "coordinator lost", deletePod(coordinators, 0)),
		of(2, "coordinator killed", kill(coordinators, isFirst)),
		of(3, "step deleted", deletePod(steps, 30)),
		of(3, "step lost", deletePod(steps, 0)),
		of(2, "launcher killed", kill(steps, isFirst)),
		of(2, "step's process killed", kill(steps, isRunner)),
		of(1, "client killed", killClient),
		of(1, "no API server", outage("apiserver")),
		of(1, "no metadata store", outage("mysql")),
		of(1, "no artifact store", outage("s3")),
	}
}

// forecast plans the faults of a run.
func forecast(random *rand.Rand) []fault {
	var all []fault
	for _, k := range kinds() {
		for range 1 + random.IntN(k.most) {
			f := k.fault
			f.after = time.Duration(300+random.IntN(2500)) * time.Millisecond
			f.lasts = time.Duration(3+random.IntN(15)) * time.Second
			f.which = random.Float64()
			all = append(all, f)
		}
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:len(all)*2/3]
}

// weather brings faults about during a run.
type weather struct {
	ctx       context.Context //nolint:containedctx // it is the storm's
	ts        *testscript.TestScript
	say       func(format string, args ...any)
	client    client
	namespace string
	program   *exec.Cmd
	// killed says that the client was.
	killed bool
}

var errNothing = errors.New("there is nothing it could befall")

// strike brings a fault about as soon as there is something for it to befall, and gives up when that takes long.
func (w *weather) strike(f fault, over func() bool) {
	time.Sleep(f.after)
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		if over() {
			return
		}
		what, err := f.do(w, f)
		if err == nil {
			w.say("%s %s: %s", time.Now().Format("15:04:05.0"), f.name, what)
			return
		}
		if time.Now().After(limit) || w.ctx.Err() != nil {
			w.say("%s %s: %v", time.Now().Format("15:04:05.0"), f.name, err)
			return
		}
	}
}

const (
	coordinators = "proa.dev/component=coordinator"
	steps        = "proa.dev/component=step"
)

// pick returns one of the pods that run, or nil.
func (w *weather) pick(selector string, f fault) (*corev1.Pod, error) {
	list, err := w.client.CoreV1().Pods(w.namespace).List(w.ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	var running []*corev1.Pod
	for i := range list.Items {
		if pod := &list.Items[i]; pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
			running = append(running, pod)
		}
	}
	if len(running) == 0 {
		return nil, errNothing
	}
	return running[int(f.which*float64(len(running)))], nil
}

// deletePod deletes a pod; without grace it is gone before its processes are.
func deletePod(selector string, grace int64) func(*weather, fault) (string, error) {
	return func(w *weather, f fault) (string, error) {
		pod, err := w.pick(selector, f)
		if err != nil {
			return "", err
		}
		return pod.Name, w.client.CoreV1().Pods(w.namespace).Delete(w.ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &grace})
	}
}

// kill sends SIGKILL to a process of a pod, which this machine's processes have among them.
func kill(selector string, is func(process) bool) func(*weather, fault) (string, error) {
	return func(w *weather, f fault) (string, error) {
		pod, err := w.pick(selector, f)
		if err != nil {
			return "", err
		}
		for _, p := range processesOf(pod.Name) {
			if is(p) {
				return fmt.Sprintf("process %d of %s", p.pid, pod.Name), syscall.Kill(p.pid, syscall.SIGKILL)
			}
		}
		return "", errNothing
	}
}

// process is one of a container.
type process struct {
	pid int
	// inside is its number in its container.
	inside string
	parent string
	line   string
}

func isFirst(p process) bool { return p.inside == "1" }

// isRunner finds a step's own process, rather than the one that it is forked from.
func isRunner(p process) bool {
	return p.inside != "1" && strings.Contains(p.line, "proa.") && p.parent != "1"
}

// processesOf lists the processes of a pod's containers, the youngest first.
func processesOf(pod string) []process {
	var all []process
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		environ, err := os.ReadFile(filepath.Join(folder, "environ"))
		if err != nil || !bytes.Contains(append([]byte{0}, environ...), []byte("\x00HOSTNAME="+pod+"\x00")) {
			continue
		}
		status, _ := os.ReadFile(filepath.Join(folder, "status"))
		line, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			continue
		}
		inside := strings.Fields(field(status, "NSpid:"))
		if len(inside) < 2 {
			continue
		}
		all = append([]process{{pid: pid, inside: inside[len(inside)-1], parent: parentInside(field(status, "PPid:")), line: string(line)}}, all...)
	}
	return all
}

// parentInside is the number that a process has in its container.
func parentInside(pid string) string {
	status, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(pid), "status"))
	if err != nil {
		return ""
	}
	numbers := strings.Fields(field(status, "NSpid:"))
	if len(numbers) == 0 {
		return ""
	}
	return numbers[len(numbers)-1]
}

// field is one line of a process's status.
func field(status []byte, name string) string {
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, name); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// killClient kills the client and the program that it has started.
func killClient(w *weather, _ fault) (string, error) {
	w.killed = true
	return strconv.Itoa(w.program.Process.Pid), syscall.Kill(-w.program.Process.Pid, syscall.SIGKILL)
}

// own gives a command a process group.
func own(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// end ends a command that may have ended.
func end(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}
}

// outage takes a service away for a while.
func outage(name string) func(*weather, fault) (string, error) {
	return func(w *weather, f fault) (string, error) {
		service(w.ts, false, []string{"stop", name})
		time.Sleep(f.lasts)
		service(w.ts, false, []string{"start", name})
		return fmt.Sprintf("%s for %s", name, f.lasts), nil
	}
}

// client reaches the cluster.
type client struct{ kubernetes.Interface }

// objects lists what a namespace holds that runs put there.
func (c client) objects(ctx context.Context, namespace string) ([]string, error) {
	var all []string
	pods, err := c.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, pod := range pods.Items {
		all = append(all, "pod "+pod.Name)
	}
	jobs, err := c.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, job := range jobs.Items {
		all = append(all, "job "+job.Name)
	}
	secrets, err := c.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, secret := range secrets.Items {
		all = append(all, "secret "+secret.Name)
	}
	leases, err := c.CoordinationV1().Leases(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, lease := range leases.Items {
		all = append(all, "lease "+lease.Name)
	}
	return all, nil
}
