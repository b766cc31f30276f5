package launch

import (
	"context"
	"errors"

	"github.com/proa-ml/proa/artifact"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/internal/cli/kit"
	"github.com/proa-ml/proa/internal/cli/output"
	"github.com/proa-ml/proa/plan"
	"github.com/proa-ml/proa/spec"
	"github.com/proa-ml/proa/stack"
)

// rebuildVariable carries the flag --rebuild of `proa run FILE` past Python.
const rebuildVariable = "PROA_REBUILD"

// renew has the environments of a plan's images built again.
func renew(p *plan.Plan) {
	for i := range p.Images {
		p.Images[i].PreventReuse = true
	}
}

// Images builds the images of a Python file's first pipeline, or of a spec, and prints which steps they are for.
func Images(ctx context.Context, k *kit.Kit, args []string, format output.Format, rebuild bool) error {
	data, err := specOf(ctx, k, args)
	if err != nil {
		return err
	}
	return buildOnly(ctx, k, data, format, rebuild)
}

// buildOnly builds what a spec needs in the registry, and in the artifact store, to be run.
func buildOnly(ctx context.Context, k *kit.Kit, data []byte, format output.Format, rebuild bool) (err error) {
	l := &launch{Kit: k, began: k.Now()}
	if l.data, err = configured(k, data); err != nil {
		return err
	}
	if l.stack, err = k.Stack(); err != nil {
		return err
	}
	l.place = k.Catalogue.Place(l.stack)
	if l.pipeline, l.plan, err = planFor(k, l.stack, l.data); err != nil {
		return err
	}
	if len(l.plan.Images) == 0 {
		return fault.New(fault.Usage, "`proa stack set NAME` chooses another stack", "the stack %q runs steps as processes, so there is no image to build", l.stack.Name)
	}
	if rebuild {
		renew(l.plan)
	}
	l.view = k.View()
	defer l.view.Close()
	if l.stack, err = l.Opener.Reveal(ctx, l.stack); err != nil {
		return err
	}
	if err := l.openArtifacts(ctx); err != nil {
		return err
	}
	if l.artifacts != nil {
		defer func() { err = errors.Join(err, l.artifacts.Close()) }()
	}
	if _, err := l.build(ctx); err != nil {
		return err
	}
	return output.Print(k.Streams, format, l.plan.Images, imageTable(l.plan))
}

// openArtifacts opens the artifact store if code goes there.
func (l *launch) openArtifacts(ctx context.Context) (err error) {
	for _, i := range l.plan.Images {
		if i.Code != spec.CodeStore {
			continue
		}
		if l.store, err = l.Opener.Artifacts(ctx, l.stack); err == nil {
			l.artifacts, err = artifact.Open(ctx, l.store, nil)
		}
		return l.broken(stack.ArtifactStore, err)
	}
	return nil
}

// imageTable says which step runs in which image.
func imageTable(p *plan.Plan) output.Table {
	t := output.Table{Header: []string{"STEP", "IMAGE", "BASE", "CODE"}, Names: []string{}}
	for _, s := range p.Steps {
		i := p.Image(s.Image)
		if i == nil {
			continue
		}
		code := i.Code
		if code == "" {
			code = spec.CodeImage
		}
		name := i.Ref
		if name == "" {
			name = i.Key
		}
		t.Rows = append(t.Rows, []string{s.Name, name, i.Base, code})
	}
	for _, i := range p.Images {
		if i.Ref != "" {
			t.Names = append(t.Names, i.Ref)
		}
	}
	return t
}
