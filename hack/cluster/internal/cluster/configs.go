package cluster

import (
	"fmt"
	"os"
	"strings"

	"github.com/proa-ml/proa/hack/cluster/internal/file"
)

// writeConfigs writes the configuration files of the servers.
func (c *Cluster) writeConfigs(f facts) error {
	node := f.namespace(c.state).Node().String()
	registry := fmt.Sprintf("%s:%d", node, registryPort)
	certs := c.state.config("registries/" + registry)
	if err := os.MkdirAll(certs, 0o755); err != nil {
		return fmt.Errorf("making the registry configuration: %w", err)
	}
	if err := os.MkdirAll(c.state.config("cni"), 0o755); err != nil {
		return fmt.Errorf("making the network configuration: %w", err)
	}
	account, err := c.accountFile(f)
	if err != nil {
		return err
	}
	configs := map[string]string{
		"gcs.json":                               account,
		"containerd.toml":                        containerdConfig(c.state, registry),
		"registries/" + registry + "/hosts.toml": hostsConfig(registry),
		"cni/10-proa.conflist":                   cniConfig(c.state, f),
		"kubelet.yaml":                           kubeletConfig(c.state, f),
		"proxy.yaml":                             proxyConfig(c.state, f),
		"resolv.conf":                            "nameserver " + dnsService + "\n",
		"mysql.sql":                              databaseSQL(f),
		"docker.json":                            dockerConfig(c.state, registry, f.Subnet.String()),
	}
	for name, content := range configs {
		if err := file.Write(c.state.config(name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// dockerConfig gives the Docker Engine a bridge that leads nowhere, which is in the cluster's own network namespace. Its
// BuildKit takes a registry without a scheme for one that speaks HTTPS with a bad certificate. Tests push to registries of their own
// on the subnet.
func dockerConfig(state layout, registry, subnet string) string {
	return fmt.Sprintf(`{
  "hosts": [%[1]q],
  "containerd": %[2]q,
  "data-root": %[3]q,
  "exec-root": %[4]q,
  "pidfile": %[5]q,
  "insecure-registries": ["http://%[6]s", %[7]q],
  "bip": "172.31.255.1/24",
  "iptables": false,
  "ip6tables": false,
  "ip-masq": false,
  "log-level": "warn"
}
`, "unix://"+state.dockerSocket(), state.containerdSocket(), state.data("docker"), state.data("docker-exec"), state.data("docker.pid"), registry, subnet)
}

// containerdConfig keeps all of containerd's files below the state directory; only the shims' sockets have a fixed place elsewhere.
func containerdConfig(state layout, registry string) string {
	return fmt.Sprintf(`version = 2
root = %[1]q
state = %[2]q
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = %[3]q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %[4]q
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  max_concurrent_downloads = 6
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = %[5]q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = %[6]q
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %[7]q
`, state.data("containerd"), state.data("containerd-run"), state.containerdSocket(), registry+"/"+pauseRepository+":"+pauseTag,
		state.config("registries"), state.data("runc"), state.config("cni"))
}

func hostsConfig(registry string) string {
	return fmt.Sprintf("server = \"http://%[1]s\"\n[host.\"http://%[1]s\"]\n  capabilities = [\"pull\", \"resolve\", \"push\"]\n", registry)
}

// cniConfig gives every pod a link of its own to the node. Without a bridge all traffic is routed, so that a pod can reach itself
// and its neighbours through a service without packet filtering on bridges.
func cniConfig(state layout, f facts) string {
	network := f.namespace(state)
	return fmt.Sprintf(`{"cniVersion": "0.4.0", "name": %q, "plugins": [{"type": "ptp", "ipMasq": false, "ipam": {
  "type": "host-local", "dataDir": %q,
  "ranges": [[{"subnet": %q, "rangeStart": %q, "rangeEnd": %q, "gateway": %q}]],
  "routes": [{"dst": "0.0.0.0/0"}]}}]}
`, f.group(), state.data("addresses"), network.Subnet, network.FirstPod(), network.LastPod(), network.Node())
}

// kubeletConfig: pods start as fast as the kubelet can, a disk that is nearly full evicts nothing and loses no image, and the
// processes of all pods are in the cluster's control groups.
func kubeletConfig(state layout, f facts) string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
cgroupRoot: /%[1]s
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %[2]q}}
authorization: {mode: Webhook}
tlsCertFile: %[3]q
tlsPrivateKeyFile: %[4]q
containerRuntimeEndpoint: unix://%[5]s
clusterDNS: [%[6]s]
clusterDomain: cluster.local
resolvConf: %[7]q
podLogsDir: %[8]q
volumePluginDir: %[9]q
failSwapOn: false
makeIPTablesUtilChains: false
maxPods: 250
serializeImagePulls: false
maxParallelImagePulls: 4
registryPullQPS: 0
eventRecordQPS: 0
kubeAPIQPS: 200
kubeAPIBurst: 400
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 100Mi, nodefs.available: "0%%", imagefs.available: "0%%", nodefs.inodesFree: "0%%", imagefs.inodesFree: "0%%"}
`, f.group(), state.pki("ca.crt"), state.pki("kubelet.crt"), state.pki("kubelet.key"), state.containerdSocket(), dnsService,
		state.config("resolv.conf"), state.data("pod-logs"), state.data("kubelet/volume-plugins"))
}

func proxyConfig(state layout, f facts) string {
	return fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: %q}
mode: nftables
hostnameOverride: %s
clusterCIDR: %s
conntrack: {maxPerCore: 0, min: 0}
nftables: {minSyncPeriod: 100ms}
`, state.kubeconfig("proxy"), nodeName, f.Subnet)
}

// databaseSQL is run at each start of the database server.
func databaseSQL(f facts) string {
	return strings.Join([]string{
		"CREATE DATABASE IF NOT EXISTS " + databaseName + " CHARACTER SET utf8mb4;",
		"CREATE USER IF NOT EXISTS '" + databaseUser + "'@'%' IDENTIFIED BY '" + f.MySQLPassword + "';",
		"GRANT ALL PRIVILEGES ON *.* TO '" + databaseUser + "'@'%' WITH GRANT OPTION;",
		"",
	}, "\n")
}
