package launch

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"runtime"

	imagedriver "github.com/proa-ml/proa/image/driver"
	"github.com/proa-ml/proa/internal/cli/fault"
	"github.com/proa-ml/proa/stack"
	"golang.org/x/sync/errgroup"
)

// build builds the images of the steps and of the coordinator at once, and returns the coordinator's.
func (l *launch) build(ctx context.Context) (coordinator string, err error) {
	builder, repository, err := l.Opener.Images(ctx, l.stack)
	if err != nil {
		return "", err
	}
	group, building := errgroup.WithContext(ctx)
	for i := range l.plan.Images {
		if l.plan.Images[i].Ref != "" {
			continue // of the run that this one repeats
		}
		group.Go(func() error { return l.buildSteps(building, builder, repository, i) })
	}
	group.Go(func() (err error) {
		coordinator, err = l.buildCoordinator(building, builder, repository)
		return err
	})
	if err := group.Wait(); err != nil {
		return "", err
	}
	// Of several logins, only now it is known which one the registry takes.
	if puller, ok := builder.(imagedriver.Puller); ok {
		if l.pull, err = puller.PullConfig(ctx, repository); err != nil {
			return "", l.buildFailed("finding the registry's credentials", err)
		}
	}
	return coordinator, nil
}

func (l *launch) buildSteps(ctx context.Context, builder imagedriver.Builder, repository string, i int) error {
	wanted := &l.plan.Images[i]
	request, err := l.request(ctx, *wanted, repository, i)
	if err != nil {
		return err
	}
	if err := l.storeCode(ctx, builder, wanted, request); err != nil {
		return err
	}
	if wanted.Installer == "pip" && l.stack.Components[stack.ImageBuilder].Flavor == "oci" {
		l.view.Notice("python_package_installer is pip; this image builder installs the same packages with uv")
	}
	name := "image"
	if len(l.plan.Images) > 1 {
		name = fmt.Sprintf("image %d", i+1)
	}
	stage := l.view.Stage(name)
	built, err := builder.Build(ctx, request, stage)
	if err != nil {
		stage.Done("")
		return l.buildFailed("building the image of the steps", err)
	}
	wanted.Ref = built.Ref
	if built.Reused {
		stage.Done("ready, with its environment unchanged,")
		return nil
	}
	stage.Done("built and pushed")
	return nil
}

func (l *launch) buildCoordinator(ctx context.Context, builder imagedriver.Builder, repository string) (string, error) {
	settings, err := l.Catalogue.Settings(l.stack.Components[stack.ImageBuilder])
	if err != nil {
		return "", err
	}
	if err := static(l.Executable); err != nil {
		return "", err
	}
	if own := runtime.GOOS + "/" + runtime.GOARCH; own != settings["platform"] {
		return "", fault.New(fault.Configuration, "start the run from a machine like the cluster's nodes, or set the image builder's platform",
			"the coordinator's image is this program, which is built for %s, and the stack's images are for %s", own, settings["platform"])
	}
	stage := l.view.Stage("coordinator image")
	built, err := builder.Binary(ctx, repository, imagedriver.Coordinator, settings["platform"], l.Executable, stage)
	if err != nil {
		stage.Done("")
		return "", l.buildFailed("building the coordinator's image", err)
	}
	if built.Reused {
		stage.Done("")
		return built.Ref, nil
	}
	stage.Done("pushed")
	return built.Ref, nil
}

// static checks that a program runs in an image that holds nothing else.
func static(program string) error {
	binary, err := elf.Open(program)
	if err != nil {
		return fmt.Errorf("reading the coordinator's program: %w", err)
	}
	defer func() { _ = binary.Close() }()
	for _, part := range binary.Progs {
		if part.Type == elf.PT_INTERP {
			return fault.New(fault.Configuration, "build it with `make build`, or with CGO_ENABLED=0",
				"%s is linked dynamically, and so can't run in the coordinator's image, which holds nothing else", program)
		}
	}
	return nil
}

func (l *launch) buildFailed(doing string, err error) error {
	code := fault.Infrastructure
	if errors.Is(err, imagedriver.ErrInvalid) {
		code = fault.Configuration
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	hint := fmt.Sprintf("nothing was started; the registry is `proa container-registry describe %s`",
		l.stack.Components[stack.ContainerRegistry].Name)
	if errors.Is(err, imagedriver.ErrEngine) {
		hint = "nothing was started"
	}
	if errors.Is(err, imagedriver.ErrIndex) {
		hint = "nothing was started; uv reads the index, certificates and proxies from UV_INDEX_URL, SSL_CERT_FILE and HTTPS_PROXY"
	}
	var mistake *stack.Error
	if errors.As(err, &mistake) && mistake.Hint != "" {
		code, hint = fault.Configuration, mistake.Hint
	}
	return &fault.Error{Code: code, Err: fmt.Errorf("%s: %w", doing, err), Hint: hint}
}
