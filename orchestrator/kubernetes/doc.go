// Package kubernetes runs pipelines on a Kubernetes cluster in which nothing is installed.
//
// It has two sides. The client's side ([Client]) submits a run: one Job for the coordinator, one Secret with what the
// run's pods have to know, and, where they are missing, the namespace, the service account and its role. It follows the
// coordinator's output and sweeps what a run leaves behind. The coordinator's side ([Open]) implements the
// orchestrator's contract from within that Job: one bare pod per attempt, one watch per run, and the completion channel
// through which launchers report faster than a kubelet does.
//
// What decides is pure and has tables of tests: pod.go builds a pod, outcome.go reads what became of one. What talks to
// the cluster is thin.
package kubernetes
