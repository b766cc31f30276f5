// Package oci makes container images of one layer out of a directory, and pushes them to a registry.
package oci

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A layer is a written layer's identity.
type layer struct {
	digest string // of the compressed bytes
	diffID string // of the tar
	size   int64
}

// writeLayer writes the files below root, all owned by root and of one fixed time, as a compressed tar.
func writeLayer(path, root string) (layer, error) {
	out, err := os.Create(path)
	if err != nil {
		return layer{}, err
	}
	defer out.Close()
	compressed, plain := newCounter(out), sha256.New()
	zipper, err := gzip.NewWriterLevel(compressed, gzip.BestSpeed)
	if err != nil {
		return layer{}, err
	}
	archive := tar.NewWriter(io.MultiWriter(zipper, plain))
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		return addFile(archive, root, path, entry)
	})
	if err := errors.Join(err, archive.Close(), zipper.Close(), out.Close()); err != nil {
		return layer{}, err
	}
	return layer{digest: name(compressed.hash), diffID: name(plain), size: compressed.size}, nil
}

func addFile(archive *tar.Writer, root, path string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err = os.Readlink(path); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	if header.Name, err = filepath.Rel(root, path); err != nil {
		return err
	}
	header.Uid, header.Gid, header.Uname, header.Gname = 0, 0, "", ""
	if info.Mode().IsRegular() {
		header.PAXRecords = capability(path)
	}
	header.ModTime, header.AccessTime, header.ChangeTime = time.Unix(0, 0), time.Time{}, time.Time{}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(archive, file)
	return err
}

// Capability is the attribute of a file that gives the rights of a capability to who runs it.
const Capability = "security.capability"

// capability returns it as a record of a tar; nil if the file has none.
func capability(path string) map[string]string {
	value := make([]byte, 64)
	n, err := syscall.Getxattr(path, Capability, value)
	if err != nil {
		return nil
	}
	return map[string]string{"SCHILY.xattr." + Capability: string(value[:n])}
}

// A counter hashes and counts what passes through.
type counter struct {
	io.Writer
	hash hash.Hash
	size int64
}

func newCounter(out io.Writer) *counter {
	sum := sha256.New()
	return &counter{Writer: io.MultiWriter(out, sum), hash: sum}
}

func (c *counter) Write(data []byte) (int, error) {
	n, err := c.Writer.Write(data)
	c.size += int64(n)
	return n, err
}

func name(sum hash.Hash) string { return fmt.Sprintf("sha256:%x", sum.Sum(nil)) }
