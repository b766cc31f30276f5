package oci

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/step"
)

// Where things are in an image.
const (
	codeDir   = "/app"
	sdkDir    = "/opt/proa/sdk"
	siteDir   = "/opt/proa/site-packages"
	entryFile = "/opt/proa/bin/proa-step"
	// user is nobody in particular, by number, as Pod Security's restricted profile wants it.
	user = "65532:65532"
)

// picture is an image's manifest and config, complete but for the blobs.
type picture struct {
	Manifest []byte          `json:"manifest"`
	Kind     types.MediaType `json:"kind"`
	Config   []byte          `json:"config"`
}

func (p picture) digest() string {
	h, _, err := v1.SHA256(bytes.NewReader(p.Manifest))
	if err != nil {
		return ""
	}
	return h.String()
}

func (p picture) document() document {
	return document{raw: p.Manifest, kind: p.Kind, digest: p.digest()}
}

func (p picture) parse() (*v1.Manifest, *v1.ConfigFile, error) {
	var m v1.Manifest
	var c v1.ConfigFile
	if err := json.Unmarshal(p.Manifest, &m); err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(p.Config, &c); err != nil {
		return nil, nil, err
	}
	return &m, &c, nil
}

// draw puts a manifest and a config together; the config's digest goes into the manifest.
func draw(m *v1.Manifest, c *v1.ConfigFile, kind types.MediaType) (picture, error) {
	config, err := json.Marshal(c)
	if err != nil {
		return picture{}, err
	}
	h, size, err := v1.SHA256(bytes.NewReader(config))
	if err != nil {
		return picture{}, err
	}
	m.Config.Digest, m.Config.Size, m.Config.Data = h, size, nil
	m.Annotations = nil
	manifest, err := json.Marshal(m)
	if err != nil {
		return picture{}, err
	}
	return picture{Manifest: manifest, Kind: kind, Config: config}, nil
}

// named is a layer with what its history says.
type named struct {
	layer
	what string
	// contents lists what is in it, if that is more than one thing.
	contents string
}

func stack(m *v1.Manifest, c *v1.ConfigFile, kind types.MediaType, layers []named) {
	for _, l := range layers {
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: cmp.Or(l.MediaType, layerType(kind)), Size: l.Size, Digest: l.Digest})
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, l.DiffID)
		c.History = append(c.History, v1.History{CreatedBy: historyPrefix + l.what, Comment: l.contents})
	}
}

// historyPrefix marks our layers in an image's history.
const historyPrefix = "proa: "

// onBase draws an environment: the base, our layers, and the config that makes the launcher run.
func onBase(d document, config *v1.ConfigFile, layers []named, r driver.Request) (picture, error) {
	var m v1.Manifest
	if err := json.Unmarshal(d.raw, &m); err != nil {
		return picture{}, err
	}
	c := config.DeepCopy()
	stack(&m, c, d.kind, layers)
	c.Config.Entrypoint, c.Config.Cmd = []string{entryFile}, nil
	c.Config.User, c.Config.WorkingDir = cmp.Or(r.User, user), codeDir
	c.Config.Healthcheck = nil
	c.Config.Env = merge(c.Config.Env, ours(c.Config.Env), r.Environment)
	return draw(&m, c, d.kind)
}

// withCode draws the image of a pipeline: its environment, the code, and what it says of itself.
func (j *job) withCode(env picture) (picture, error) {
	m, c, err := env.parse()
	if err != nil {
		return picture{}, err
	}
	if j.code != nil {
		stack(m, c, env.Kind, []named{{layer: *j.code, what: "code"}})
	}
	labels := maps.Clone(c.Config.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	annotations := maps.Clone(j.r.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations["org.opencontainers.image.base.name"] = j.r.Base
	annotations[baseLabel] = j.base.digest
	maps.Copy(labels, annotations)
	maps.Copy(labels, j.r.Labels)
	labels[environmentLabel] = j.key
	c.Config.Labels = labels
	made, err := draw(m, c, env.Kind)
	if err != nil || env.Kind != types.OCIManifestSchema1 {
		return made, err // Docker's manifests have no annotations
	}
	m.Annotations = annotations
	made.Manifest, err = json.Marshal(m)
	return made, err
}

// Labels that say what an image was built on: the key of its environment, and the digest of the base.
const (
	environmentLabel = "dev.proa.environment"
	baseLabel        = "org.opencontainers.image.base.digest"
)

// ours are the variables that every environment has.
func ours(have []string) map[string]string {
	path := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, pair := range have {
		if value, ok := strings.CutPrefix(pair, "PATH="); ok {
			path = value
		}
	}
	return map[string]string{
		"PATH":                    siteDir + "/bin:" + path,
		"PYTHONPATH":              codeDir + ":" + sdkDir + ":" + siteDir,
		step.SiteEnv:              siteDir,
		"PYTHONUNBUFFERED":        "1",
		"PYTHONDONTWRITEBYTECODE": "1",
	}
}

// merge lays sets of variables over a list, which keeps its order; new ones follow sorted.
func merge(have []string, sets ...map[string]string) []string {
	over := map[string]string{}
	for _, set := range sets {
		maps.Copy(over, set)
	}
	var out []string
	for _, pair := range have {
		key, _, _ := strings.Cut(pair, "=")
		if _, replaced := over[key]; !replaced {
			out = append(out, pair)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(over)) {
		out = append(out, key+"="+over[key])
	}
	return out
}
