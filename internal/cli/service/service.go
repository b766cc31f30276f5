// Package service starts and stops the components that proa itself runs somewhere, for the verbs up, down and logs of
// components and stacks.
package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/proa-ml/proa/flavor"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/stack"
	"github.com/spf13/cobra"
)

// open returns a component as a service; nil if there is nothing to start.
func open(k *kit.Kit, c stack.Component) (flavor.Service, error) {
	if _, err := k.Catalogue.Settings(c); err != nil {
		return nil, fmt.Errorf("%s %q: %w", c.Kind.Words(), c.Name, err)
	}
	return flavor.ServiceOf(k.Opener, c)
}

// do does a piece of work on a service and shows what it waits for. done is what to say afterwards.
func do(ctx context.Context, k *kit.Kit, s running, verb, done string, work func(context.Context, func(string)) error) error {
	view := k.View()
	defer view.Close()
	stage := view.Stage(s.Kind.Words() + " " + s.Name)
	if err := work(ctx, stage.Waiting); err != nil {
		stage.Done("")
		if ctx.Err() != nil {
			return fault.New(fault.Cancelled, fmt.Sprintf("`proa %s %s %s` goes on from here", s.Kind, verb, s.Name), "interrupted: what was done so far stays")
		}
		return fault.With(fault.Infrastructure, fmt.Sprintf("look at `proa %s describe %s` and `proa %[1]s logs %[2]s`", s.Kind, s.Name),
			fmt.Errorf("%s %q: %w", s.Kind.Words(), s.Name, err))
	}
	stage.Done(done)
	return nil
}

// Up starts components.
func Up(ctx context.Context, k *kit.Kit, components []stack.Component) error {
	all, err := openAll(k, components)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range all {
		errs = append(errs, do(ctx, k, s, "up", "up", s.Up))
	}
	return errors.Join(errs...)
}

// running is a component that is a service.
type running struct {
	stack.Component
	flavor.Service
}

// openAll returns those of the components that are services, and tells if there is none.
func openAll(k *kit.Kit, components []stack.Component) ([]running, error) {
	var all []running
	for _, c := range components {
		s, err := open(k, c)
		if err != nil {
			return nil, err
		}
		if s != nil {
			all = append(all, running{c, s})
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	if len(components) == 1 {
		c := components[0]
		k.Statusf("The %s '%s' of flavor %s has nothing to start or stop.", c.Kind.Words(), c.Name, c.Flavor)
		return nil, nil
	}
	k.Statusf("None of the components has anything to start or stop.")
	return nil, nil
}

// Stop says how components are stopped.
type Stop struct {
	// Force removes them with their data; Yes does so without asking.
	Force, Yes bool
}

// AddFlags gives a command the flags of Stop.
func (stop *Stop) AddFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&stop.Force, "force", "f", false, "remove it with all its data")
	cmd.Flags().BoolVarP(&stop.Yes, "yes", "y", false, "don't ask")
}

// Down stops components, and with force removes them. It asks once for all of them.
func Down(ctx context.Context, k *kit.Kit, components []stack.Component, stop Stop) error {
	all, err := openAll(k, components)
	if err != nil {
		return err
	}
	if stop.Force && !stop.Yes && len(all) > 0 {
		if err := agree(ctx, k, all); err != nil {
			return err
		}
	}
	var errs []error
	for _, s := range all {
		if stop.Force {
			errs = append(errs, do(ctx, k, s, "down", "removed", s.Remove))
		} else {
			errs = append(errs, do(ctx, k, s, "down", "down, its data is kept", s.Down))
		}
	}
	return errors.Join(errs...)
}

// agree asks whether components may be removed, after it has said what that takes away.
func agree(ctx context.Context, k *kit.Kit, all []running) error {
	if k.InTerminal {
		for _, s := range all {
			k.Statusf("This removes %s.", s.Contents())
		}
	}
	return k.Agree(ctx, "Nothing of it can be brought back. Go on?", "--yes")
}

// Logs prints what a component writes.
func Logs(ctx context.Context, k *kit.Kit, c stack.Component, follow bool) error {
	s, err := open(k, c)
	if err != nil {
		return err
	}
	if s == nil {
		k.Statusf("The %s '%s' of flavor %s is not run by proa: it has no log here.", c.Kind.Words(), c.Name, c.Flavor)
		return nil
	}
	err = s.Logs(ctx, k.Out, follow)
	if follow && ctx.Err() != nil {
		return nil
	}
	return err
}
