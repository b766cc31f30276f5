package main

import (
	"context"
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func runEtcd(context.Context) int {
	etcdmain.Main(os.Args)
	return 0
}
