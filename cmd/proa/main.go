// Command proa runs machine-learning pipelines on this machine and on Kubernetes.
package main

import (
	"context"
	"os"

	"github.com/proa-ml/proa/command"
)

func main() { os.Exit(command.Main(context.Background(), nil)) }
