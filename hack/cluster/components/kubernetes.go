package main

import (
	"context"
	"os"
	_ "time/tzdata" // time zones of CronJobs

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // metrics of the API clients
	_ "k8s.io/component-base/metrics/prometheus/version"  // the version metric
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func runAPIServer(context.Context) int {
	return runCobra(apiserver.NewAPIServerCommand())
}

func runControllerManager(context.Context) int {
	return runCobra(controllermanager.NewControllerManagerCommand())
}

func runScheduler(context.Context) int {
	return runCobra(scheduler.NewSchedulerCommand())
}

func runKubelet(ctx context.Context) int {
	return runCobra(kubelet.NewKubeletCommand(ctx))
}

func runProxy(context.Context) int {
	return runCobra(proxy.NewProxyCommand())
}

// runCobra runs a server's command; the servers take their signals themselves.
func runCobra(command *cobra.Command) int {
	return cli.Run(command)
}

func runKubectl(context.Context) int {
	// Verbosity is needed before the command exists, since plug-ins and kuberc are read while it is made.
	if _, err := logs.GlogSetter(kubectl.GetLogVerbosity(os.Args)); err != nil {
		return 1
	}
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
	return 0
}
