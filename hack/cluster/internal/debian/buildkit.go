package debian

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/proa-ml/proa/hack/cluster/internal/oci"
)

// BuildKitUser is who a container of the BuildKit image runs as, and BuildKitHome that user's home: the same as in the official
// rootless image.
const (
	BuildKitUser = "1000:1000"
	BuildKitHome = "/home/user"
)

// buildKitPackages are what runs containers, and what gives a user numbers of further users.
func buildKitPackages() []string { return []string{"runc", "uidmap"} }

// BuildKitRecipe is a text that changes when the BuildKit image does.
func BuildKitRecipe() string {
	return recipe("buildkit 2", append(basePackages(), buildKitPackages()...)...)
}

// NewBuildKit makes the root of an image of BuildKit in the directory work, which must be empty, but for the programs that are
// built: they belong into its directory usr/bin.
func (a *Apt) NewBuildKit(ctx context.Context, work string) (root string, err error) {
	if root, err = a.newRoot(ctx, work, buildKitPackages(), nil); err != nil {
		return "", err
	}
	if err := addBuildUser(root); err != nil {
		return "", fmt.Errorf("finishing the BuildKit image: %w", err)
	}
	if err := limitMappers(root); err != nil {
		return "", fmt.Errorf("finishing the BuildKit image: %w", err)
	}
	return root, nil
}

// limitMappers gives the programs that map numbers of users the one right that they need. Debian has them run as root, which is of
// no use where root itself is limited, as in a container: the user has to be the one whose namespace it is.
func limitMappers(root string) error {
	const setGID, setUID = 6, 7 // the numbers of the capabilities
	for name, right := range map[string]int{"newuidmap": setUID, "newgidmap": setGID} {
		path := filepath.Join(root, "usr/bin", name)
		if err := os.Chmod(path, 0o755); err != nil {
			return err
		}
		attribute := make([]byte, 20) // struct vfs_cap_data of linux/capability.h: version 2, in effect; permitted, inheritable
		binary.LittleEndian.PutUint32(attribute, 0x02000001)
		binary.LittleEndian.PutUint32(attribute[4:], 1<<right)
		if err := syscall.Setxattr(path, oci.Capability, attribute, 0); err != nil {
			return fmt.Errorf("limiting the rights of %s: %w", name, err)
		}
	}
	return nil
}

// addBuildUser names the user, with the further users that it may be, and makes the directories that it writes to.
func addBuildUser(root string) error {
	for name, line := range map[string]string{
		"etc/passwd": "user:x:1000:1000:BuildKit:" + BuildKitHome + ":/bin/sh\n", "etc/group": "user:x:1000:\n",
		"etc/subuid": "user:100000:65536\n", "etc/subgid": "user:100000:65536\n",
	} {
		file, err := os.OpenFile(filepath.Join(root, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = file.WriteString(line)
		if closed := file.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	for _, name := range []string{BuildKitHome, BuildKitHome + "/.local", BuildKitHome + "/.local/tmp", BuildKitHome + "/.local/share",
		BuildKitHome + "/.local/share/buildkit", "/run/user/1000"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(path, 0o777|fs.ModeSticky); err != nil {
			return err
		}
	}
	return nil
}
