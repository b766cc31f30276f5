package images

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/prune"
	"github.com/spf13/cobra"
)

// pruning is what `proa image prune` is asked for.
type pruning struct {
	olderThan                     time.Duration
	coordinators, cache, dry, yes bool
}

func (n noun) pruneCommand() *cobra.Command {
	var p pruning
	cmd := &cobra.Command{
		Example: "  proa image prune --dry-run\n  proa image prune --coordinators --older-than 168h\n  proa image prune --cache --yes",
		Use:     "prune", Short: "Remove from the registry what no image is built on any more", Args: kit.Args(0, 0),
		Long: "Remove from the registry what no image there is built on any more: environments, and what a container engine made longer\n" +
			"ago than --older-than. Images under a tag stay, and so does what they need. The registry frees the space when it collects\n" +
			"garbage. Repositories that target_repository names are looked through, too.\n\n" +
			"With --coordinators, coordinators' images go that neither a schedule, nor a run that goes on, nor one that began within\n" +
			"--older-than needs. Only what the stack's own stores know of counts: leave it out where stacks with other stores use the\n" +
			"registry. With --cache, what this machine keeps to build faster goes, too.\n\n" +
			"Archives of `code: store` are in the artifact store: `proa artifact prune` removes them.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.olderThan < 0 {
				return fault.New(fault.Usage, "for example --older-than 24h", "an age can't be negative")
			}
			s, err := n.shelf(cmd.Context())
			if err != nil {
				return err
			}
			return n.prune(cmd.Context(), s, p)
		},
	}
	flags := cmd.Flags()
	flags.DurationVar(&p.olderThan, "older-than", prune.Grace, "leave what was made, or is needed by runs that began, more recently than this")
	flags.BoolVar(&p.coordinators, "coordinators", false, "also remove coordinators' images that no run and no schedule of the stack needs")
	flags.BoolVarP(&p.yes, "yes", "y", false, "don't ask")
	flags.BoolVar(&p.dry, "dry-run", false, "only say what would be removed")
	flags.BoolVar(&p.cache, "cache", false, "also empty the cache on this machine")
	return cmd
}

func (n noun) prune(ctx context.Context, s shelf, p pruning) error {
	unused, err := n.unused(ctx, s, p)
	if err != nil {
		return err
	}
	count := 0
	for _, u := range unused {
		for _, tag := range u.tags {
			count++
			n.Statusf("%s %s:%s", cmp.Or(map[bool]string{true: "would remove"}[p.dry], "unused:"), u.repository, tag)
		}
	}
	if p.dry {
		return nil
	}
	if count > 0 && !p.yes {
		if err := n.Agree(ctx, fmt.Sprintf("Remove %s?", inspect.Count(count, "tag")), "--yes"); err != nil {
			return err
		}
		// The answer may have taken long: what is needed by now stays.
		again, err := n.unused(ctx, s, p)
		if err != nil {
			return err
		}
		unused = both(unused, again)
	}
	for _, u := range unused {
		if err := s.Remove(ctx, u.repository, u.tags); err != nil {
			return told(err)
		}
		if len(u.tags) > 0 {
			n.Statusf("Removed %s from %s.", inspect.Count(len(u.tags), "tag"), u.repository)
		}
	}
	return n.clear(s, p.cache)
}

// leftover are the tags of a repository that nothing needs.
type leftover struct {
	repository string
	tags       []string
}

// both returns what two looks at the repositories have found alike.
func both(first, second []leftover) []leftover {
	found := map[string]bool{}
	for _, u := range second {
		for _, tag := range u.tags {
			found[u.repository+":"+tag] = true
		}
	}
	for i, u := range first {
		first[i].tags = slices.DeleteFunc(u.tags, func(tag string) bool { return !found[u.repository+":"+tag] })
	}
	return first
}

// unused looks through all repositories of the stack.
func (n noun) unused(ctx context.Context, s shelf, p pruning) (out []leftover, err error) {
	before := n.Now().Add(-p.olderThan)
	repositories, err := s.Repositories(ctx, s.repository)
	if err != nil {
		return nil, told(err)
	}
	for _, repository := range repositories {
		tags, err := s.Unused(ctx, repository, before)
		if err != nil {
			return nil, told(err)
		}
		out = append(out, leftover{repository, tags})
	}
	if !p.coordinators {
		return out, nil
	}
	tags, err := n.coordinators(ctx, s, before)
	return append(out, leftover{s.repository, tags}), err
}

// coordinators lists the tags of those that nothing needs.
func (n noun) coordinators(ctx context.Context, s shelf, before time.Time) (tags []string, err error) {
	stores, err := n.OpenStores(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	there, err := s.Programs(ctx, s.repository, driver.Coordinator)
	if err != nil || len(there) == 0 {
		return nil, told(err)
	}
	needed, err := prune.FindCoordinators(ctx, stores.Artifacts, stores.Metadata, before) // after looking what there is
	var unknown *prune.UnknownError
	if errors.As(err, &unknown) {
		return nil, fault.New(fault.Configuration, "leave --coordinators out", "it can't be known which coordinators are needed: %w", err)
	}
	if err != nil {
		return nil, fault.With(fault.Infrastructure, "run the same command again", err)
	}
	if needed.Silent != "" {
		n.Statusf("Coordinators' images stay: an earlier proa made %s, and didn't note which one it needs.", needed.Silent)
		return nil, nil
	}
	for _, one := range there {
		if !needed.Need(one.Digest) {
			tags = append(tags, one.Tag)
		}
	}
	return tags, nil
}

func (n noun) clear(s shelf, cache bool) error {
	if !cache {
		return nil
	}
	freed, err := s.Clear()
	if err == nil {
		n.Statusf("Freed %s of this machine's cache.", size(freed))
	}
	return err
}
