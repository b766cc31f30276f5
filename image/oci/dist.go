package oci

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// dist is an installed package: its files, ready for a layer.
type dist struct {
	items []item
	size  int64
}

// divide says which installed files are whose, by the RECORD that every package has. What no package claims isn't taken
// along.
func (j *job) divide(root string) (map[string]*dist, error) {
	infos, err := filepath.Glob(filepath.Join(root, "*.dist-info"))
	if err != nil {
		return nil, err
	}
	slices.Sort(infos)
	out := map[string]*dist{}
	for _, info := range infos {
		folder := filepath.Base(info)
		name, _, _ := strings.Cut(strings.TrimSuffix(folder, ".dist-info"), "-")
		if err := j.checkBuilt(root, folder); err != nil {
			return nil, err
		}
		d, err := j.readDist(root, folder)
		if err != nil {
			return nil, fmt.Errorf("reading the files of %s: %w", folder, err)
		}
		out[normal(name)] = d
	}
	return out, nil
}

// checkBuilt refuses a package that was compiled here: it may not run in the image. Wheels that indexes offer for Linux
// name the oldest C library that they run with; one that was compiled here names none.
func (j *job) checkBuilt(root, folder string) error {
	if !j.builds {
		return nil
	}
	data, err := os.ReadFile(sitePath(root, folder+"/WHEEL"))
	if err != nil {
		return fmt.Errorf("reading the files of %s: %w", folder, err)
	}
	for line := range strings.Lines(string(data)) {
		tag, found := strings.CutPrefix(strings.TrimSpace(line), "Tag: ")
		if found && strings.Contains(tag, "-linux_") {
			return invalid(nil, "%s has no wheel, and is compiled when it is built, which an image can't rely on: %s",
				strings.TrimSuffix(folder, ".dist-info"), waysOut)
		}
	}
	return nil
}

// left are files of a dist-info folder that tell of this machine, not of the package.
var left = []string{"uv_cache.json", "direct_url.json", "REQUESTED"}

func (j *job) readDist(root, folder string) (*dist, error) {
	rows, err := readRecord(sitePath(root, folder+"/RECORD"))
	if err != nil {
		return nil, err
	}
	d := &dist{}
	var kept [][]string
	for _, row := range rows {
		name := path.Clean(filepath.ToSlash(row[0]))
		dir, file := path.Split(name)
		if strings.HasPrefix(name, "../") || path.IsAbs(name) || strings.Contains(name, "__pycache__/") ||
			dir == folder+"/" && slices.Contains(left, file) {
			continue
		}
		if strings.HasPrefix(name, "bin/") {
			if row, err = portScript(root, row); err != nil {
				return nil, err
			}
		}
		kept = append(kept, row)
		if err := j.take(d, root, name); err != nil {
			return nil, err
		}
	}
	return d, j.writeRecord(d, root, folder, kept)
}

// take adds a file, and its bytecode, to the package.
func (j *job) take(d *dist, root, name string) error {
	if strings.HasSuffix(name, ".dist-info/RECORD") {
		return nil
	}
	info, err := os.Lstat(sitePath(root, name))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	d.add(item{name: siteName(name), source: sitePath(root, name), size: info.Size(), exec: info.Mode()&0o111 != 0})
	if j.bytecode && strings.HasSuffix(name, ".py") {
		if pyc, ok := j.bytecodeOf(root, name); ok {
			pyc.name = siteName(pyc.name)
			d.add(pyc)
		}
	}
	return nil
}

func (d *dist) add(it item) {
	d.items = append(d.items, it)
	d.size += it.size
}

func siteName(name string) string { return strings.TrimPrefix(siteDir, "/") + "/" + name }

func readRecord(file string) ([][]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	var out [][]string
	for _, row := range rows {
		if len(row) > 0 && row[0] != "" {
			out = append(out, row)
		}
	}
	return out, nil
}

// writeRecord puts the RECORD of what was kept beside the original, which may be shared with uv's cache.
func (j *job) writeRecord(d *dist, root, folder string, rows [][]string) error {
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	file := sitePath(root, folder+"/RECORD")
	if err := replace(file, out.Bytes(), 0o644); err != nil {
		return err
	}
	d.add(item{name: siteName(folder + "/RECORD"), source: file, size: int64(out.Len())})
	return nil
}

// portScript makes a script of a package run with the image's Python, and corrects its row in the RECORD.
func portScript(root string, row []string) ([]string, error) {
	file := sitePath(root, row[0])
	data, err := os.ReadFile(file)
	if err != nil {
		return row, err
	}
	rest, ok := afterShebang(data)
	if !ok {
		return row, nil
	}
	data = append([]byte("#!/usr/bin/env python3\n"), rest...)
	if err := replace(file, data, 0o755); err != nil {
		return row, err
	}
	h := sha256.Sum256(data)
	return []string{row[0], "sha256=" + base64.RawURLEncoding.EncodeToString(h[:]), strconv.Itoa(len(data))}, nil
}

// afterShebang returns what follows the line that names this machine's Python; where the path is too long or has a
// space, that is three lines of shell that are a string to Python.
func afterShebang(data []byte) ([]byte, bool) {
	if rest, ok := bytes.CutPrefix(data, []byte("#!/bin/sh\n'''exec' ")); ok {
		_, rest, ok = bytes.Cut(rest, []byte("\n' '''\n"))
		return rest, ok
	}
	first, rest, found := bytes.Cut(data, []byte("\n"))
	return rest, found && bytes.HasPrefix(first, []byte("#!")) && bytes.Contains(first, []byte("python"))
}

// replace gives a name new content without touching the old, which may have other names.
func replace(file string, data []byte, mode os.FileMode) error {
	if err := os.WriteFile(file+".new", data, mode); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
