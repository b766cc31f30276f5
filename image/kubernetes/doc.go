// Package kubernetes builds images with a BuildKit that runs in a Kubernetes cluster, for machines without a Docker Engine.
//
// The builder is a pod of a Job, made for one build and deleted after it, or kept for some minutes for the next build if that is
// asked for. It isn't privileged: BuildKit runs as an ordinary user in a user namespace of its own. It listens within the pod only,
// and is spoken to through the API server, so the kubeconfig is all that a machine needs. Nothing secret is in the pod: credentials
// of registries are asked for over the connection when they are needed.
//
// The Job has a deadline that the client puts off for as long as it builds. A client that was killed puts nothing off, so the
// cluster itself ends the pod and removes the Job.
//
// What decides is pure and has tables of tests: objects.go builds the Job, judge.go reads why the builder isn't there yet.
package kubernetes
