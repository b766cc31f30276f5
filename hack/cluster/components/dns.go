package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/miekg/dns"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// serveDNS answers for the names of services. For names outside the cluster it says at once that there are none: the cluster has no
// way out, and a quick answer is better than a slow one.
func serveDNS(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("dns", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:5353", "address to listen on, UDP and TCP")
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig of the cluster")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("reading the flags: %w", err)
	}
	names, err := watchServices(ctx, *kubeconfig)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	for _, network := range []string{"udp", "tcp"} {
		server := &dns.Server{Addr: *listen, Net: network, Handler: dns.HandlerFunc(names.serve)}
		go func() { failed <- server.ListenAndServe() }()
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s: %w", *listen, err)
	case <-ctx.Done():
		return nil
	}
}

// watchServices returns the cluster's names once they are known, and keeps them so until ctx ends.
func watchServices(ctx context.Context, kubeconfig string) (*zone, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	services, slices := factory.Core().V1().Services(), factory.Discovery().V1().EndpointSlices()
	names := &zone{services: services.Lister(), slices: slices.Lister()}
	synced := []cache.InformerSynced{services.Informer().HasSynced, slices.Informer().HasSynced}
	factory.Start(ctx.Done())
	wait, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if !cache.WaitForCacheSync(wait.Done(), synced...) {
		return nil, fmt.Errorf("the services did not become known: %w", wait.Err())
	}
	return names, nil
}
