package stacks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/proa-ml/proa/artifact"
	imagedriver "github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/metadata/driver"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// checkLimit is how long a component may take to answer.
const checkLimit = 20 * time.Second

// checked is what came of checking one component.
type checked struct {
	Kind stack.Kind `json:"kind"`
	Name string     `json:"name"`
	OK   bool       `json:"ok"`
	// Problem says what is wrong, and Fix what to do.
	Problem string `json:"problem,omitempty"`
	Fix     string `json:"fix,omitempty"`
	err     error
}

func (n noun) checkCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Use: "check [NAME]", Short: "Open every component of a stack and say what is wrong and how to mend it",
		Long: "Open every component of a stack, the active one if no name is given: is it reached, are the credentials right, may it be\n" +
			"written to. A line for each says what is wrong and how to mend it. Nothing is left behind.",
		Example: "  proa stack check\n  proa stack check k8s -o json",
		Args:    kit.Args(0, 1), ValidArgsFunction: kit.Complete(n.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := n.Files.Load()
			if err != nil {
				return err
			}
			s, err := n.find(config, args)
			if err != nil {
				return err
			}
			resolved, err := config.Resolve(s.Name)
			if err != nil {
				return err
			}
			warnings, err := n.Catalogue.Validate(resolved)
			n.warn(warnings)
			if err != nil {
				return err
			}
			return n.report(format, s.Name, n.check(cmd.Context(), resolved))
		},
	}
	output.AddFlag(cmd, &format)
	return cmd
}

func (n noun) report(format output.Format, name string, all []checked) error {
	table := output.Table{Header: []string{"COMPONENT", "NAME", "STATE", "FIX"}}
	worst := fault.OK
	for _, c := range all {
		state := "ok"
		if !c.OK {
			state = c.Problem
			worst = max(worst, fault.CodeOf(c.err))
		}
		table.Rows = append(table.Rows, []string{string(c.Kind), c.Name, state, c.Fix})
		table.Names = append(table.Names, c.Name)
	}
	if err := output.Print(n.Streams, format, all, table); err != nil {
		return err
	}
	if worst == fault.OK {
		return nil
	}
	return fault.New(worst, "", "the stack %q can't be used as it is", name)
}

// check opens all components at once.
func (n noun) check(ctx context.Context, r stack.Resolved) []checked {
	checks := map[stack.Kind]func(context.Context, stack.Resolved) error{
		stack.Orchestrator: n.checkOrchestrator, stack.ArtifactStore: n.checkArtifacts,
		stack.MetadataStore: n.checkMetadata, stack.ContainerRegistry: n.checkRegistry,
	}
	var all []checked
	for _, kind := range stack.Kinds() {
		if c, ok := r.Components[kind]; ok && checks[kind] != nil {
			all = append(all, checked{Kind: kind, Name: c.Name})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
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
	return slices.Clip(all)
}

// judge turns an error into what is wrong and what to do.
func (c *checked) judge(err error) {
	c.err, c.OK = err, err == nil
	if c.OK {
		return
	}
	c.Problem = err.Error()
	c.Fix = fmt.Sprintf("proa %s update %s --key=value", c.Kind, c.Name)
	var mistake *stack.Error
	if errors.As(err, &mistake) && mistake.Hint != "" {
		c.Fix = mistake.Hint
	}
}

func (n noun) checkOrchestrator(ctx context.Context, r stack.Resolved) error {
	place := n.Catalogue.Place(r)
	if !n.Catalogue.Remote(place) {
		return nil
	}
	remote, err := n.Opener.Remote(place)
	if err != nil {
		return err
	}
	return remote.Check(ctx)
}

func (n noun) checkArtifacts(ctx context.Context, r stack.Resolved) (err error) {
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

func (n noun) checkMetadata(ctx context.Context, r stack.Resolved) (err error) {
	store, err := n.Opener.Metadata(ctx, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	_, err = store.Runs(ctx, driver.Query{Limit: 1})
	return err
}

func (n noun) checkRegistry(ctx context.Context, r stack.Resolved) error {
	builder, repository, err := n.Opener.Images(ctx, r)
	if err != nil {
		return err
	}
	if checker, ok := builder.(imagedriver.Checker); ok {
		return checker.Check(ctx, repository)
	}
	return nil
}
