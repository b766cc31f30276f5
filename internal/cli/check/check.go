// Package check opens the components of a stack and says of each whether it can be used, and how to mend it if not.
package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/flavor"
	imagedriver "github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/pyenv"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/stack"
	"golang.org/x/sync/errgroup"
)

// limit is how long a component may take to answer.
const limit = 20 * time.Second

// Checked is what came of checking one component.
type Checked struct {
	Kind stack.Kind `json:"kind"`
	Name string     `json:"name"`
	OK   bool       `json:"ok"`
	// Problem says what is wrong, and Fix what to do.
	Problem string `json:"problem,omitempty"`
	Fix     string `json:"fix,omitempty"`
	err     error
}

// Code is the exit code that stands for what is wrong.
func (c Checked) Code() fault.Code { return fault.CodeOf(c.err) }

type checker struct{ *kit.Kit }

// Stack opens all components of a stack at once, or only those of the given kinds.
func Stack(ctx context.Context, k *kit.Kit, r stack.Resolved, only ...stack.Kind) []Checked {
	n := checker{k}
	checks := map[stack.Kind]func(context.Context, stack.Resolved) error{
		stack.Orchestrator: n.checkOrchestrator, stack.ArtifactStore: n.checkArtifacts,
		stack.MetadataStore: n.checkMetadata, stack.ContainerRegistry: n.checkRegistry,
		stack.ImageBuilder: n.checkBuilder, stack.SecretsManager: n.checkSecrets,
	}
	var all []Checked
	if _, images := r.Components[stack.ContainerRegistry]; !images {
		delete(checks, stack.ImageBuilder) // it has nothing to build here
	}
	if r.Components[stack.SecretsManager].BuiltIn && len(k.Catalogue.Uses(r)) == 0 {
		delete(checks, stack.SecretsManager) // the stack has no use for it
	}
	for _, kind := range stack.Kinds() {
		if c, ok := r.Components[kind]; ok && checks[kind] != nil && (len(only) == 0 || slices.Contains(only, kind)) {
			all = append(all, Checked{Kind: kind, Name: c.Name})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var group errgroup.Group
	for i := range all {
		group.Go(func() error {
			c := &all[i]
			c.judge(checks[c.Kind](ctx, r))
			return nil
		})
	}
	_ = group.Wait()
	n.judgePair(ctx, r, all)
	return slices.Clip(all)
}

// judgePair says of the metadata store whether it goes with the artifact store, if each of them is well.
func (n checker) judgePair(ctx context.Context, r stack.Resolved, all []Checked) {
	well := func(kind stack.Kind) int {
		return slices.IndexFunc(all, func(c Checked) bool { return c.Kind == kind && c.OK })
	}
	if at := well(stack.MetadataStore); at >= 0 && well(stack.ArtifactStore) >= 0 {
		all[at].judge(n.CheckPair(ctx, r))
	}
}

// judge turns an error into what is wrong and what to do.
func (c *Checked) judge(err error) {
	c.err, c.OK = err, err == nil
	if c.OK {
		return
	}
	c.Problem = err.Error()
	c.Fix = fmt.Sprintf("proa %s update %s --key=value", c.Kind, c.Name)
	if hint := fault.HintOf(err); hint != "" {
		c.Fix = hint
	}
}

func (n checker) checkOrchestrator(ctx context.Context, r stack.Resolved) error {
	place := n.Catalogue.Place(r)
	if !n.Catalogue.Remote(place) {
		return nil
	}
	remote, err := n.Opener.Remote(place)
	if err != nil {
		return err
	}
	if doubt := n.Catalogue.DoubtRegistry(ctx, remote, r); doubt != "" {
		n.Warn(doubt)
	}
	if thorough, ok := remote.(interface {
		CheckAll(ctx context.Context) error
	}); ok {
		return thorough.CheckAll(ctx)
	}
	return remote.Check(ctx)
}

func (n checker) checkArtifacts(ctx context.Context, r stack.Resolved) (err error) {
	cfg, err := n.Opener.Artifacts(ctx, r)
	if err != nil {
		return err
	}
	store, err := artifact.Open(ctx, cfg, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return store.Check(ctx)
}

func (n checker) checkMetadata(ctx context.Context, r stack.Resolved) (err error) {
	store, err := n.Opener.Metadata(ctx, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	_, err = store.Runs(ctx, driver.Query{Limit: 1})
	return err
}

func (n checker) checkRegistry(ctx context.Context, r stack.Resolved) error {
	builder, repository, err := n.Opener.Images(ctx, r)
	if err != nil {
		return err
	}
	if checker, ok := builder.(imagedriver.Checker); ok {
		return checker.Check(ctx, repository)
	}
	return nil
}

// checkSecrets looks for what the components refer to.
func (n checker) checkSecrets(ctx context.Context, r stack.Resolved) error {
	manager, err := n.Opener.Secrets(ctx, r)
	if err != nil {
		return err
	}
	if _, err := manager.Names(ctx); err != nil {
		return err
	}
	missing, err := flavor.Missing(ctx, manager, n.Catalogue.Uses(r))
	if err != nil || len(missing) == 0 {
		return err
	}
	return flavor.Lacking(r.Name, manager.Name(), missing)
}

// checkBuilder looks for the base image, as a run of the Python that is found here would want it.
func (n checker) checkBuilder(ctx context.Context, r stack.Resolved) error {
	builder, repository, err := n.Opener.Images(ctx, r)
	if err != nil {
		return err
	}
	bases, ok := builder.(imagedriver.BaseChecker)
	if !ok {
		return nil
	}
	c := r.Components[stack.ImageBuilder]
	settings, err := n.Catalogue.Settings(c)
	if err != nil {
		return err
	}
	base := settings["parent_image"]
	if base == "" {
		return nil
	}
	if strings.Contains(base, "{python}") {
		base = strings.ReplaceAll(base, "{python}", n.python(ctx))
	}
	if err := bases.CheckBase(ctx, base, repository); err != nil {
		hint := fmt.Sprintf("proa image-builder update %s --parent_image=IMAGE", c.Name)
		if c.BuiltIn {
			hint = fmt.Sprintf("proa image-builder register NAME --flavor=%s --parent_image=IMAGE, then proa stack update %s -i NAME", c.Flavor, r.Name)
		}
		return fault.New(fault.CodeOf(err), hint, "base image %s: %w", base, err)
	}
	return nil
}

// python is the minor version of the Python that is found here.
func (n checker) python(ctx context.Context) string {
	interpreter, err := pyenv.Find(n.Kit)
	if err != nil {
		return latestPython
	}
	e, err := pyenv.Ask(ctx, n.Kit, interpreter)
	if parts := strings.SplitN(e.Version, ".", 3); err == nil && len(parts) == 3 {
		return parts[0] + "." + parts[1]
	}
	return latestPython
}

// latestPython is looked for where there is no Python.
const latestPython = "3.13"
