// Package kubernetes is a metadata store in a MySQL or MariaDB server that proa itself runs in a Kubernetes cluster.
//
// The server is a Deployment of one pod with a PersistentVolumeClaim for its data, a Secret with its passwords and a Service.
// Pods of the cluster reach it by the Service's name. Everybody else does through the API server, which forwards each
// connection to the pod: the kubeconfig is all that a machine needs, no port is opened on it and nothing keeps running.
//
// What decides is pure and has tables of tests: objects.go builds the objects, judge.go reads why the server isn't there yet.
package kubernetes
