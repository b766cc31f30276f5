package cluster

import (
	"fmt"
	"time"

	"github.com/proa-ml/proa/hack/cluster/internal/process"
)

// A server is one long-running part of the cluster.
type server struct {
	name    string
	needs   []string // what must be up before it is started
	command []string
	env     []string
	config  []string // files that it reads at its start
	nice    int
	grace   time.Duration
	before  check // done before it is started, unless nil
	ready   check // passes once it is ready; nil: as soon as it runs
}

// servers returns the parts of the cluster. Those that pods wait for come before those that merely run beside them in the
// scheduler's eyes, too, since two cores are all that there may be.
func (c *Cluster) servers(f facts) []server {
	all := append(c.controlPlane(f), c.nodeServers(f)...)
	all = append(all, c.services(f)...)
	all = append(all, c.oracle(f)...)
	for i := range all {
		if all[i].grace == 0 {
			all[i].grace = 5 * time.Second
		}
	}
	return all
}

func (c *Cluster) controlPlane(f facts) []server {
	s := c.state
	node := f.namespace(s).Node().String()
	const etcd = "http://127.0.0.1:2379"
	return []server{
		{name: "etcd", grace: time.Second, command: []string{s.bin("etcd"), "--name=proa", "--data-dir=" + s.data("etcd"), "--listen-client-urls=" + etcd,
			"--advertise-client-urls=" + etcd, "--listen-peer-urls=http://127.0.0.1:2380", "--unsafe-no-fsync", "--log-level=warn",
			"--auto-compaction-mode=periodic", "--auto-compaction-retention=10m", "--quota-backend-bytes=2147483648"}},
		{name: "apiserver", needs: []string{"etcd"}, env: []string{"GOGC=200"}, grace: time.Second, ready: c.apiReady,
			command: []string{s.bin("kube-apiserver"), "--etcd-servers=" + etcd, fmt.Sprintf("--secure-port=%d", apiPort),
				"--bind-address=0.0.0.0", "--advertise-address=" + node, "--allow-privileged=true", "--authorization-mode=Node,RBAC",
				"--enable-admission-plugins=NodeRestriction", "--service-cluster-ip-range=" + serviceCIDR,
				"--tls-cert-file=" + s.pki("apiserver.crt"), "--tls-private-key-file=" + s.pki("apiserver.key"),
				"--client-ca-file=" + s.pki("ca.crt"), "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
				"--service-account-key-file=" + s.pki("tokens.crt"), "--service-account-signing-key-file=" + s.pki("tokens.key"),
				"--kubelet-client-certificate=" + s.pki("apiserver.crt"), "--kubelet-client-key=" + s.pki("apiserver.key"),
				"--kubelet-certificate-authority=" + s.pki("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
				"--max-requests-inflight=1000", "--max-mutating-requests-inflight=500", "--profiling=false"}},
		{name: "controller-manager", needs: []string{"apiserver"}, config: []string{s.kubeconfig("controller-manager")}, nice: 3, ready: c.accountReady,
			command: []string{s.bin("kube-controller-manager"), "--kubeconfig=" + s.kubeconfig("controller-manager"),
				"--bind-address=127.0.0.1", "--leader-elect=false", "--use-service-account-credentials=true",
				"--service-account-private-key-file=" + s.pki("tokens.key"), "--root-ca-file=" + s.pki("ca.crt"),
				"--cluster-signing-cert-file=" + s.pki("ca.crt"), "--cluster-signing-key-file=" + s.pki("ca.key"),
				"--kube-api-qps=200", "--kube-api-burst=400", "--concurrent-gc-syncs=40", "--profiling=false"}},
		{name: "scheduler", needs: []string{"apiserver"}, config: []string{s.kubeconfig("scheduler")},
			command: []string{s.bin("kube-scheduler"), "--kubeconfig=" + s.kubeconfig("scheduler"), "--bind-address=127.0.0.1",
				"--leader-elect=false", "--kube-api-qps=200", "--kube-api-burst=400", "--profiling=false"}},
	}
}

func (c *Cluster) nodeServers(f facts) []server {
	s := c.state
	return []server{
		{name: "containerd", config: []string{s.config("containerd.toml")}, ready: c.containerdReady,
			command: []string{"containerd", "--config", s.config("containerd.toml"), "--log-level", "warn"}},
		{name: "kubelet", needs: []string{"apiserver", "containerd"}, config: []string{s.config("kubelet.yaml"), s.kubeconfig("kubelet")}, ready: c.nodeReady,
			command: []string{s.bin("kubelet"), "--config=" + s.config("kubelet.yaml"), "--kubeconfig=" + s.kubeconfig("kubelet"),
				"--hostname-override=" + nodeName, "--root-dir=" + s.data("kubelet"), "--cert-dir=" + s.pki(""),
				"--node-ip=" + f.namespace(s).Node().String()}},
		{name: "proxy", needs: []string{"apiserver"}, config: []string{s.config("proxy.yaml"), s.kubeconfig("proxy")}, nice: 3, before: c.clearProxyRules,
			command: []string{s.bin("kube-proxy"), "--config=" + s.config("proxy.yaml")}},
		{name: "dns", needs: []string{"objects"}, config: []string{s.kubeconfig("dns")}, nice: 3,
			command: []string{s.bin("dns"), "-kubeconfig", s.kubeconfig("dns"), "-listen", c.address(f, dnsPort)}},
		{name: "volumes", needs: []string{"objects"}, nice: 3,
			command: []string{s.bin(f.Volumes), "-server", apiURL(f, s), "-authority", s.pki("ca.crt"), "-certificate", s.pki("admin.crt"),
				"-key", s.pki("admin.key"), "-dir", s.data("volumes"), "-node", nodeName}},
	}
}

func (c *Cluster) services(f facts) []server {
	s := c.state
	node := f.namespace(s).Node().String()
	return []server{
		{name: "registry", ready: c.registryReady,
			command: []string{s.bin("registry"), "-root", s.data("registry"), "-listen", c.address(f, registryPort)}},
		{name: "s3", ready: c.s3Ready, env: []string{"ROOT_ACCESS_KEY=" + f.S3Key, "ROOT_SECRET_KEY=" + f.S3Secret},
			command: []string{s.bin("s3"), "-root", s.data("s3"), "-listen", c.address(f, s3Port), "-region", regionName}},
		{name: "gcs", ready: c.gcsReady, config: []string{s.config("gcs.json")},
			command: []string{s.bin(f.Emulators), "-root", s.data("gcs"), "-listen", c.address(f, gcsPort), "-key", s.config("gcs.json"), "-bucket", bucketName}},
		{name: "azure", ready: c.azureReady, env: []string{"AZURITE_ACCOUNTS=" + accountName + ":" + f.AzureKey},
			command: []string{"node", f.Azurite, "--disableTelemetry", "--skipApiVersionCheck", "--silent", "--location", s.data("azure"),
				"--blobHost", node, "--blobPort", fmt.Sprint(azurePort)}},
		{name: "mysql", needs: []string{"database"}, config: []string{s.config("mysql.sql")}, grace: 15 * time.Second, ready: c.mysqlReady,
			command: []string{"mariadbd", "--no-defaults", "--user=root", "--datadir=" + s.data("mysql"), "--socket=" + s.data("mysql.sock"),
				"--pid-file=" + s.data("mysql.pid"), "--bind-address=" + node, fmt.Sprintf("--port=%d", mysqlPort),
				"--init-file=" + s.config("mysql.sql"), "--skip-name-resolve", "--performance-schema=OFF", "--max-connections=500",
				"--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=0",
				"--ssl-ca=" + s.pki("ca.crt"), "--ssl-cert=" + s.pki("mysql.crt"), "--ssl-key=" + s.pki("mysql.key")}},
		// It only builds, and leaves its containers to the node's containerd.
		{name: "docker", needs: []string{"containerd"}, config: []string{s.config("docker.json")}, nice: 3, before: c.clearDockerPID, ready: c.dockerReady,
			command: []string{"dockerd", "--config-file=" + s.config("docker.json")}},
	}
}

// spec returns how to run the server. A change of the components is a change of it.
func (c *Cluster) spec(f facts, s server, group string) process.Spec {
	return process.Spec{
		Name:      s.name,
		Command:   s.command,
		Env:       append([]string{"COMPONENTS=" + f.Version}, s.env...),
		Dir:       c.state.path("data"),
		Namespace: c.state.namespace(),
		Cgroup:    group,
		Nice:      s.nice,
		Config:    append([]string{c.state.pki("node"), c.state.pki("ca.crt")}, s.config...),
	}
}

// table returns the records of the servers' processes.
func (c *Cluster) table() process.Table {
	return process.Table{Records: c.state.path("run"), Logs: c.state.path("log"), Env: c.env}
}
