package main

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// gigabyte writes wheels that are 1 GB when installed, and returns requirements that name them. Their bytes are random, but each
// piece comes several times, so that the registry is not filled by it.
func gigabyte(dir string) ([]string, error) {
	const wheels, size = 25, 40 << 20
	var out []string
	for i := range wheels {
		name := fmt.Sprintf("large%02d", i)
		file := filepath.Join(dir, name+"-1.0-py3-none-any.whl")
		if err := writeWheel(file, name, size, uint64(i)); err != nil {
			return nil, fmt.Errorf("writing a large wheel: %w", err)
		}
		out = append(out, file)
	}
	return out, nil
}

func writeWheel(file, name string, size int, seed uint64) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	archive := zip.NewWriter(f)
	info := name + "-1.0.dist-info/"
	for _, part := range [][2]string{
		{"METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n"},
		{"WHEEL", "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{"RECORD", name + ".bin,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	} {
		w, err := archive.Create(info + part[0])
		if err == nil {
			_, err = io.WriteString(w, part[1])
		}
		if err != nil {
			return err
		}
	}
	w, err := archive.Create(name + ".bin")
	if err != nil {
		return err
	}
	if err := writeRepeated(w, size, seed); err != nil {
		return err
	}
	return archive.Close()
}

// writeRepeated writes random bytes, each piece of them sixteen times.
func writeRepeated(w io.Writer, size int, seed uint64) error {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	random, piece := rand.NewChaCha8(key), make([]byte, 4<<10)
	for at := 0; at < size; at += len(piece) {
		if at/len(piece)%16 == 0 {
			_, _ = random.Read(piece) // it never fails
		}
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}
