package standard

import (
	"errors"
	"strconv"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/orchestrator/kubernetes"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/stack"
)

func kubernetesOrchestrator(contexts Contexts) flavor.Flavor {
	attributes := []flavor.Attribute{
		contextAttribute(),
		{Name: "kubernetes_namespace", Type: flavor.Text, Default: "proa", Meaning: "the namespace of all that runs; made if it is missing", Example: "proa", Check: dnsLabel},
		{Name: "synchronous", Type: flavor.Bool, Default: "true", Scope: flavor.Run, Meaning: "whether the client waits for the run and shows its progress"},
		maxParallelism(), executionMode(),
		insideAttribute(),
		{Name: flavor.LocalCluster, Type: flavor.Bool, Default: "false", Meaning: "the cluster is this machine's own, such as one of kind, k3d or minikube: its nodes pull from a registry at localhost, but its pods see neither this machine's files nor its localhost"},
		{Name: flavor.SkipLocalValidations, Type: flavor.Bool, Default: "false", Meaning: "accept components at local addresses because the cluster's nodes reach them"},
	}
	attributes = append(attributes, kubernetesStepSettings()...)
	return flavor.Flavor{
		Kind: stack.Orchestrator, Name: "kubernetes", Remote: true,
		Meaning:    "runs steps as pods of a Kubernetes cluster in which nothing is installed",
		Attributes: append(attributes, kubernetesRunSettings()...),
		Verify:     verifyContext(contexts),
	}
}

// kubernetesStepSettings tune the pods of steps.
func kubernetesStepSettings() []flavor.Attribute {
	return []flavor.Attribute{
		{Name: "pod_settings", Type: flavor.JSON, Scope: flavor.Step, Check: podSettings, Example: `{"node_selectors":{"pool":"gpu"}}`,
			Meaning: "what the pods of steps have beyond the usual: node_selectors, affinity, tolerations, resources, annotations, labels, volumes, volume_mounts, env, env_from, image_pull_secrets, host_ipc, scheduler_name, priority_class_name, runtime_class_name, security_context, init_containers, sidecars ({{ image }} stands for the step's own), and any other field of a pod's spec in additional_pod_spec_args"},
		{Name: "step_pod_service_account_name", Type: flavor.Text, Scope: flavor.Step, Check: dnsName, Example: "trainer",
			Meaning: "the service account of the steps' pods, which then have its token; without it they can't use the cluster's API"},
		{Name: "privileged", Type: flavor.Bool, Scope: flavor.Step, Meaning: "give steps all rights on their nodes; a namespace of the Pod Security level \"restricted\" or \"baseline\" refuses such pods"},
		{Name: "queue", Type: flavor.Text, Scope: flavor.Step, Check: dnsLabel, Example: "team-queue",
			Meaning: "the Kueue LocalQueue in which the steps' pods wait for their turn"},
		{Name: "isolation", Type: flavor.Text, Scope: flavor.Step, Default: kubernetes.IsolationWarm, Example: kubernetes.IsolationPod,
			Check:   oneOf(kubernetes.IsolationWarm, kubernetes.IsolationPod),
			Meaning: "warm has a pod take one step after the other of those that ask for the same image, resources and settings, each in a process of its own, pod makes a pod for each"},
		{Name: "pending_timeout", Type: flavor.Text, Scope: flavor.Step, Check: period, Example: "15m",
			Meaning: "how long a pod may wait for a node and a container before its step fails with the scheduler's words; time held back by scheduling gates doesn't count; for ever if not given"},
		{Name: "fail_on_container_waiting_reasons", Type: flavor.JSON, Scope: flavor.Step, Check: waitingReasons, Example: `{"ImagePullBackOff":"5m","CreateContainerConfigError":0}`,
			Meaning: "the reasons of a waiting container that fail its step, each with the time it is given to pass; as a list, each with its usual time. Without it: InvalidImageName and ErrImageNeverPull at once, failing pulls after two minutes (ten seconds if the registry says no), containers that can't be created after thirty seconds"},
		{Name: "pod_failure_policy", Type: flavor.JSON, Scope: flavor.Step, Check: failurePolicy, Example: `{"rules":[{"action":"FailJob","onExitCodes":{"operator":"In","values":[42]}}]}`,
			Meaning: "rules as in the podFailurePolicy of a Kubernetes Job: which exit codes, or the condition DisruptionTarget, fail the step at once (FailJob), burn its retries (Count), or don't (Ignore)"},
	}
}

// kubernetesRunSettings tune the coordinator's Job, and what goes for the whole run.
func kubernetesRunSettings() []flavor.Attribute {
	return []flavor.Attribute{
		{Name: "orchestrator_pod_settings", Type: flavor.JSON, Scope: flavor.Run, Check: podSettings, Example: `{"priority_class_name":"high"}`,
			Meaning: "what the coordinator's pod has beyond the usual; the fields are those of pod_settings"},
		{Name: "service_account_name", Type: flavor.Text, Scope: flavor.Run, Check: dnsName, Example: "pipelines",
			Meaning: "the coordinator's service account, which has to exist; without it proa makes one with the rights it needs and no more"},
		{Name: "job_name_prefix", Type: flavor.Text, Scope: flavor.Run, Check: dnsLabel, Example: "team-a", Meaning: "the beginning of the name of the run's Job and its pod, instead of \"proa\""},
		{Name: "keep_pods", Type: flavor.Text, Scope: flavor.Run, Default: kubernetes.KeepNone, Check: keepPods, Example: "failed",
			Meaning: "which finished pods of steps stay for a look at them until the run's Job goes: none, failed or all"},
		{Name: "pod_stop_grace_period", Type: flavor.Int, Scope: flavor.Run, Check: notNegative, Example: "30",
			Meaning: "how many seconds a step has to end when it is told to, before it is killed; 10 if not given"},
		{Name: "active_deadline_seconds", Type: flavor.Int, Scope: flavor.Run, Check: positive, Example: "7200", Meaning: "how many seconds a run may take before what runs is stopped and the run fails"},
		{Name: "ttl_seconds_after_finished", Type: flavor.Int, Scope: flavor.Run, Check: notNegative, Example: "3600",
			Meaning: "how many seconds the run's Job, and all it owns, stays after its end; 60 if not given, or a day if keep_pods keeps some"},
		{Name: "orchestrator_job_backoff_limit", Type: flavor.Int, Scope: flavor.Run, Check: notNegative, Example: "3", Meaning: "how often the coordinator may crash or be lost before the run is given up; 10 if not given"},
		{Name: "successful_jobs_history_limit", Type: flavor.Int, Scope: flavor.Run, Check: notNegative, Example: "3", Meaning: "how many succeeded Jobs of a schedule stay; 3 if not given"},
		{Name: "failed_jobs_history_limit", Type: flavor.Int, Scope: flavor.Run, Check: notNegative, Example: "1", Meaning: "how many failed Jobs of a schedule stay; 1 if not given"},
	}
}

func podSettings(value string) error {
	_, err := kubernetes.ParsePodSettings([]byte(value))
	return err
}

func waitingReasons(value string) error {
	_, err := kubernetes.ParseWaitingReasons([]byte(value))
	return err
}

func failurePolicy(value string) error {
	_, err := plan.ParsePolicy([]byte(value))
	return err
}

func period(value string) error {
	_, err := kubernetes.ParsePeriod(value)
	return err
}

func keepPods(value string) error {
	switch value {
	case kubernetes.KeepNone, kubernetes.KeepFailed, kubernetes.KeepAll:
		return nil
	}
	return errors.New("it must be none, failed or all")
}

func notNegative(value string) error {
	if n, err := strconv.Atoi(value); err != nil || n < 0 {
		return errors.New("it must be 0 or more")
	}
	return nil
}
