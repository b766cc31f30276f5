package buildkit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher/ignorefile"
	"github.com/tonistiigi/fsutil"

	"github.com/proa-ml/proa/image/driver"
)

// recipe is what an engine has to build.
type recipe struct {
	repository string
	platform   string
	dockerfile string
	// rebuild runs every instruction again.
	rebuild bool
	secrets map[string]string
	options driver.BuildOptions
	// context are the files that the Dockerfile may copy; digest is theirs.
	context fsutil.FS
	digest  string
}

// recipe returns what an engine has to build for a request; nil if it is nothing.
func (b *Builder) recipe(ctx context.Context, r driver.Request) (*recipe, error) {
	if r.Ready || r.Recipe.Empty() && !installs(r) {
		return nil, nil
	}
	users, from := "", ""
	if path := r.Recipe.Dockerfile; path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, invalid(err, "the Dockerfile can't be read: correct the setting dockerfile")
		}
		users = string(data)
	} else {
		digest, found, err := b.Find(ctx, r.Base, r.Repository)
		if err != nil {
			return nil, err
		}
		from = r.Base // which the engine may know although no registry does
		if found {
			from = pinned(r.Base, digest)
		}
	}
	if !installs(r) {
		r.Requirements = nil
	}
	rec := &recipe{rebuild: r.Rebuild || r.Recipe.Options.NoCache, secrets: r.Secrets, repository: r.Repository, platform: r.Platform, options: r.Recipe.Options, dockerfile: dockerfile(r, from, users)}
	return rec, rec.readContext(ctx, r.Recipe.Context)
}

// installs says that the engine installs the requirements. What a lock file lists is exact, and needs no engine.
func installs(r driver.Request) bool { return len(r.Requirements) > 0 && r.Lock == nil }

// pinned is a reference that stays what it is.
func pinned(ref, digest string) string {
	if strings.Contains(ref, "@") {
		return ref
	}
	return ref + "@" + digest
}

// readContext opens the build context and digests what the Dockerfile can see of it.
func (r *recipe) readContext(ctx context.Context, root string) error {
	if root == "" {
		return nil
	}
	info, err := os.Stat(root)
	if err != nil || !info.IsDir() {
		return invalid(err, "the build context %s is no folder: correct the setting build_context_root", root)
	}
	ignore, err := ignored(root)
	if err != nil {
		return err
	}
	all, err := fsutil.NewFS(root)
	if err != nil {
		return invalid(err, "the build context %s can't be read", root)
	}
	if r.context, err = fsutil.NewFilterFS(all, &fsutil.FilterOpt{ExcludePatterns: ignore}); err != nil {
		return invalid(err, "the build context's .dockerignore is wrong")
	}
	r.digest, err = digest(ctx, r.context)
	if err != nil {
		return invalid(err, "the build context %s can't be read", root)
	}
	return nil
}

// ignored reads the context's .dockerignore. The file itself and the Dockerfile stay visible to the engine in any case.
func ignored(root string) ([]string, error) {
	f, err := os.Open(filepath.Join(root, ".dockerignore"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, invalid(err, "the build context's .dockerignore can't be read")
	}
	defer func() { _ = f.Close() }()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		return nil, invalid(err, "the build context's .dockerignore is wrong")
	}
	return patterns, nil
}

// digest is that of a tree's names, modes and contents; times and owners don't matter.
func digest(ctx context.Context, tree fsutil.FS) (string, error) {
	h := sha256.New()
	err := tree.Walk(ctx, "", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		link := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			if stat, ok := info.(*fsutil.StatInfo); ok {
				link = stat.Linkname
			}
		}
		size := int64(0)
		if info.Mode().IsRegular() {
			size = info.Size()
		}
		_, _ = fmt.Fprintf(h, "%q %o %d %q\n", filepath.ToSlash(path), info.Mode(), size, link)
		if !info.Mode().IsRegular() {
			return nil
		}
		return add(h, tree, path)
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

func add(h hash.Hash, tree fsutil.FS, path string) error {
	f, err := tree.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = io.Copy(h, f)
	return err
}

// anew says that it is built although the registry has it.
func (r *recipe) anew() bool { return r.rebuild || r.options.Pull }

// tag names what the recipe makes by everything that goes into it.
func (r *recipe) tag() string {
	options := r.options
	options.Pull, options.NoCache = false, false
	data, err := json.Marshal(struct {
		Dockerfile, Context, Platform string
		Options                       driver.BuildOptions
	}{r.dockerfile, r.digest, r.platform, options})
	if err != nil {
		return "" // strings and maps of strings always marshal
	}
	sum := sha256.Sum256(data)
	return driver.RecipeTag + hex.EncodeToString(sum[:20])
}

// attributes are the Dockerfile frontend's.
func (r *recipe) attributes() map[string]string {
	all := map[string]string{"filename": "Dockerfile", "platform": r.platform}
	for name, value := range r.options.Args {
		all["build-arg:"+name] = value
	}
	for name, value := range r.options.Labels {
		all["label:"+name] = value
	}
	if r.options.Network != "" {
		all["force-network-mode"] = r.options.Network
	}
	if r.rebuild {
		all["no-cache"] = ""
	}
	if r.options.Pull {
		all["image-resolve-mode"] = "pull"
	}
	if len(r.options.Hosts) > 0 {
		all["add-hosts"] = hosts(r.options.Hosts)
	}
	return all
}

func hosts(all map[string]string) string {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = append(b, name+"="+all[name]...)
	}
	return string(b)
}
