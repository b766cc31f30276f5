package cluster

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"

	"github.com/proa-ml/proa/hack/cluster/internal/file"
	"github.com/proa-ml/proa/hack/cluster/internal/network"
	"github.com/proa-ml/proa/hack/cluster/internal/process"
)

// The ports are free whatever else runs on the machine, since the cluster has a network namespace to itself.
const (
	apiPort      = 6443
	registryPort = 5000
	s3Port       = 9000
	mysqlPort    = 3306
	oraclePort   = 3307
	dnsPort      = 5353
	gcsPort      = 4443
	azurePort    = 10000
)

const (
	contextName = "proa-test"
	nodeName    = "proa-node"
	serviceCIDR = "10.96.0.0/16"
	apiService  = "10.96.0.1"
	dnsService  = "10.96.0.10"

	bucketName   = "proa-test" // the container's name, too
	accountName  = "proatest"
	regionName   = "us-east-1"
	databaseName = "proa"
	databaseUser = "proa"
)

// facts are what is decided at the first start and stays: addresses and secrets.
type facts struct {
	ID            string            `json:"id"` // of the state directory, in the names of all that is outside of it
	Subnet        netip.Prefix      `json:"subnet"`
	S3Key         string            `json:"s3Key"`
	S3Secret      string            `json:"s3Secret"`
	MySQLPassword string            `json:"mysqlPassword"`
	GCSKey        string            `json:"gcsKey"` // of the service account, as PEM
	AzureKey      string            `json:"azureKey"`
	Version       string            `json:"version"`            // of the components
	Emulators     string            `json:"emulators"`          // the binary of the storage emulator
	Azurite       string            `json:"azurite"`            // its program in the cache
	Python        string            `json:"python"`             // version in the base image
	MariaDB       string            `json:"mariadb"`            // tag of the image, which changes with it: nodes keep what they have pulled
	BuildKit      string            `json:"buildkit"`           // likewise
	Volumes       string            `json:"volumes"`            // the binary of the server of volumes
	Oracle        []string          `json:"oracle,omitempty"`   // the command of MySQL's own server, out of the cache
	NoOracle      string            `json:"noOracle,omitempty"` // why there is none
	Kernel        map[string]string `json:"kernel"`             // settings of the machine as they were before
	Boot          string            `json:"boot"`               // the machine's boot in which the data was last in use
	Complete      bool              `json:"complete"`
}

// identify returns the id of a state directory.
func identify(state layout) string {
	sum := sha256.Sum256([]byte(state))
	return fmt.Sprintf("%x", sum[:4])
}

// namespace returns the network of these facts.
func (f facts) namespace(state layout) network.Namespace {
	return network.Namespace{File: state.namespace(), Link: "proa" + f.ID, Subnet: f.Subnet}
}

// group is the name of the control groups, and of the network in what it leaves in shared directories.
func (f facts) group() string { return "proa-" + f.ID }

// readFacts returns the facts of a state directory, or ok false if there are none that can be read.
func readFacts(state layout) (f facts, ok bool, err error) {
	content, err := os.ReadFile(state.facts())
	if errors.Is(err, fs.ErrNotExist) {
		return facts{}, false, nil
	}
	if err != nil {
		return facts{}, false, fmt.Errorf("reading the cluster's facts: %w", err)
	}
	if err := json.Unmarshal(content, &f); err != nil || f.ID != identify(state) {
		return facts{}, false, nil
	}
	return f, true, nil
}

func writeFacts(state layout, f facts) error {
	content, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the cluster's facts: %w", err)
	}
	return file.Write(state.facts(), append(content, '\n'), 0o600)
}

// newFacts decides.
func newFacts(state layout) (facts, error) {
	f := facts{ID: identify(state), S3Key: "proa-test-key", S3Secret: rand.Text(), MySQLPassword: rand.Text(), Kernel: readKernelSettings()}
	boot, err := process.Boot()
	if err != nil {
		return facts{}, err
	}
	f.Boot = boot
	if err := f.addSecrets(); err != nil {
		return facts{}, err
	}
	return f, f.chooseSubnet(state)
}

// chooseSubnet keeps the subnet if it is still free, and else takes another.
func (f *facts) chooseSubnet(state layout) error {
	taken, err := network.Taken(f.namespace(state).Link)
	if err != nil {
		return err
	}
	candidates := network.Candidates()
	if f.Subnet.IsValid() {
		candidates = append([]netip.Prefix{f.Subnet}, candidates...)
	}
	f.Subnet, err = network.Free(candidates, taken)
	return err
}
