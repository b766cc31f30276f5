package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	flowv1 "k8s.io/api/flowcontrol/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proa-ml/proa/hack/bench/kubelet"
)

const (
	// scaleSteps is how many steps the large run has, and scaleWidth how many of them at once.
	scaleSteps = 10_000
	scaleWidth = 500
)

// scale returns what measures what a run of many steps costs the coordinator, the API server and the metadata store. The nodes are
// simulated: a real one would spend minutes of its own on that many containers.
func (m *measurement) scale(isolation string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := m.proa.use(ctx, "k8s"); err != nil {
			return err
		}
		stop, err := kubelet.Start(ctx, m.bare.pods, m.proa.namespace, 2*scaleWidth)
		if err != nil {
			return err
		}
		forget, err := m.countCalls(ctx)
		if err != nil {
			return errors.Join(err, stop())
		}
		settings := fmt.Sprintf(`{"node_selectors": {%q: %q}, "tolerations": [{"key": %[1]q, "operator": "Exists"}]}`, kubelet.Label, kubelet.Value)
		_, err = m.proa.output(ctx, "proa", "orchestrator", "update", "k8s", "--isolation="+isolation,
			"--pod_settings="+settings, "--max_parallelism="+strconv.Itoa(scaleWidth))
		if err == nil {
			err = m.scaled(ctx, isolation)
		}
		_, restored := m.proa.output(ctx, "proa", "orchestrator", "remove-attribute", "k8s", "pod_settings", "max_parallelism", "isolation")
		return errors.Join(err, restored, forget(), stop())
	}
}

// scaled measures one run.
func (m *measurement) scaled(ctx context.Context, isolation string) error {
	before, err := m.counted(ctx)
	if err != nil {
		return err
	}
	watching, done := context.WithCancel(ctx)
	var usage coordinatorUsage
	var group sync.WaitGroup
	group.Go(func() { usage = m.watchCoordinator(watching) })
	cmd := m.proa.command(ctx, "python", pipelineFile("scale.py"), strconv.Itoa(scaleWidth), strconv.Itoa(scaleSteps/scaleWidth), m.fresh())
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err = cmd.Run()
	done()
	group.Wait()
	if err != nil {
		return fmt.Errorf("running the pipeline: %w\n%s", err, lastBytes(output.Bytes(), 4000))
	}
	run, err := m.proa.lastRun(ctx)
	if err != nil {
		return err
	}
	after, err := m.counted(ctx)
	if err != nil {
		return err
	}
	if usage.peak == 0 {
		return errors.New("the node told nothing of the coordinator's memory")
	}
	name := "scale10k/" + isolation
	add := func(what string, value float64, unit, goal string) {
		m.rows = append(m.rows, row{Name: name + what, Value: value, Unit: unit, Goal: goal})
	}
	add("", run.whole.Seconds(), "s", "")
	add("_memory", usage.peak/1e6, "MB", "≤ 300 MB in the coordinator")
	add("_cores", usage.cpu.Seconds()/run.whole.Seconds(), "cores", "≤ 1 core")
	add("_calls", (after.calls-before.calls)/scaleSteps, "a step", "≤ 4 API calls a step")
	add("_transactions", (after.commits-before.commits)/scaleSteps, "a step", "≤ 1 a step")
	if rusage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		add("_client_memory", float64(rusage.Maxrss)*1024/1e6, "MB", "")
	}
	return nil
}

// counts are what servers have counted until now: requests of coordinators, and transactions.
type counts struct{ calls, commits float64 }

func (m *measurement) counted(ctx context.Context) (counts, error) {
	calls, err := m.calls(ctx)
	if err != nil {
		return counts{}, err
	}
	commits, err := m.proa.commits(ctx)
	return counts{calls, commits}, err
}

func lastBytes(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// coordinatorUsage is what a coordinator has used.
type coordinatorUsage struct {
	// peak is the most memory seen, in bytes.
	peak float64
	cpu  time.Duration
}

// watchCoordinator asks the nodes what the namespace's coordinator uses, until ctx ends.
func (m *measurement) watchCoordinator(ctx context.Context) coordinatorUsage {
	var usage coordinatorUsage
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return usage
		case <-ticker.C:
		}
		peak, cpu := m.coordinatorNow(ctx)
		usage.peak, usage.cpu = max(usage.peak, peak), max(usage.cpu, cpu)
	}
}

// coordinatorNow asks each node for its pods; a simulated one doesn't answer.
func (m *measurement) coordinatorNow(ctx context.Context) (peak float64, cpu time.Duration) {
	nodes, err := m.bare.pods.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: "!" + kubelet.Label})
	if err != nil {
		return 0, 0
	}
	for _, node := range nodes.Items {
		data, err := m.bare.pods.CoreV1().RESTClient().Get().Resource("nodes").Name(node.Name).SubResource("proxy").
			Suffix("stats/summary").DoRaw(ctx)
		var summary struct {
			Pods []struct {
				PodRef struct{ Namespace string }
				CPU    struct{ UsageCoreNanoSeconds int64 }
				Memory struct{ WorkingSetBytes float64 }
			}
		}
		if err != nil || json.Unmarshal(data, &summary) != nil {
			continue
		}
		for _, pod := range summary.Pods {
			if pod.PodRef.Namespace == m.proa.namespace {
				peak, cpu = max(peak, pod.Memory.WorkingSetBytes), max(cpu, time.Duration(pod.CPU.UsageCoreNanoSeconds))
			}
		}
	}
	return peak, cpu
}

// countCalls has the API server count the requests of the namespace's service accounts, which are coordinators, by
// themselves: requests of one flow schema have a counter of their own.
func (m *measurement) countCalls(ctx context.Context) (forget func() error, err error) {
	schemas := m.bare.pods.FlowcontrolV1().FlowSchemas()
	all := []string{"*"}
	_, err = schemas.Create(ctx, &flowv1.FlowSchema{
		ObjectMeta: metav1.ObjectMeta{Name: m.proa.namespace},
		Spec: flowv1.FlowSchemaSpec{
			MatchingPrecedence:         8000,
			PriorityLevelConfiguration: flowv1.PriorityLevelConfigurationReference{Name: "workload-low"},
			DistinguisherMethod:        &flowv1.FlowDistinguisherMethod{Type: flowv1.FlowDistinguisherMethodByUserType},
			Rules: []flowv1.PolicyRulesWithSubjects{{
				Subjects: []flowv1.Subject{{Kind: flowv1.SubjectKindServiceAccount, ServiceAccount: &flowv1.ServiceAccountSubject{
					Namespace: m.proa.namespace, Name: "*",
				}}},
				ResourceRules: []flowv1.ResourcePolicyRule{{
					APIGroups: all, Resources: all, Verbs: all, Namespaces: all, ClusterScope: true,
				}},
				NonResourceRules: []flowv1.NonResourcePolicyRule{{Verbs: all, NonResourceURLs: all}},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("having the API server count requests: %w", err)
	}
	return func() error {
		return schemas.Delete(context.WithoutCancel(ctx), m.proa.namespace, metav1.DeleteOptions{})
	}, nil
}

// calls returns how many requests the API server has counted for coordinators.
func (m *measurement) calls(ctx context.Context) (float64, error) {
	data, err := m.bare.pods.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the API server's counters: %w", err)
	}
	sum := 0.0
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "apiserver_flowcontrol_dispatched_requests_total{") && strings.Contains(line, strconv.Quote(m.proa.namespace)) {
			value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			if err != nil {
				return 0, fmt.Errorf("reading the API server's counters: %w", err)
			}
			sum += value
		}
	}
	return sum, nil
}
