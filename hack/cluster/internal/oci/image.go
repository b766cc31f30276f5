package oci

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// A Config is what a container of the image runs by default, as the image's config names it.
type Config struct {
	User       string   `json:"User,omitempty"`
	Env        []string `json:"Env,omitempty"`
	Entrypoint []string `json:"Entrypoint,omitempty"`
	Cmd        []string `json:"Cmd,omitempty"`
	WorkingDir string   `json:"WorkingDir,omitempty"`
}

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"

	manifestFile = "manifest.json"
	configFile   = "config.json"
	layerFile    = "layer.tar.gz"
)

// Write makes an image of the files below root, and writes it into dir as three files: manifest, config and layer.
func Write(dir, root string, config Config) error {
	layer, err := writeLayer(filepath.Join(dir, layerFile), root)
	if err != nil {
		return fmt.Errorf("writing the layer of %s: %w", root, err)
	}
	configJSON, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       config,
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{layer.diffID}},
		"history":      []any{map[string]string{"created": "1970-01-01T00:00:00Z"}},
		"created":      "1970-01-01T00:00:00Z",
	})
	if err != nil {
		return fmt.Errorf("encoding the image's config: %w", err)
	}
	manifestJSON, err := json.Marshal(manifest{
		SchemaVersion: 2,
		MediaType:     manifestType,
		Config:        describe(configType, configJSON),
		Layers:        []descriptor{{MediaType: layerType, Digest: layer.digest, Size: layer.size}},
	})
	if err != nil {
		return fmt.Errorf("encoding the image's manifest: %w", err)
	}
	for file, content := range map[string][]byte{configFile: configJSON, manifestFile: manifestJSON} {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			return fmt.Errorf("writing the image: %w", err)
		}
	}
	return nil
}

func describe(mediaType string, content []byte) descriptor {
	return descriptor{MediaType: mediaType, Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(content)), Size: int64(len(content))}
}
