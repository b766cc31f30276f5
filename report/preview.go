package report

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html/template"
	"path"
	"strings"

	"github.com/proa-ml/proa/inspect"
	"github.com/proa-ml/proa/step"
)

// artifactView is an output as the page shows it.
type artifactView struct {
	Name, Preview, Type, Size, Digest, Text, More string
	Images                                        []template.URL
	Table                                         [][]string
}

// artifacts are a step's outputs. One that can't be read is shown without its content.
func (f *facts) artifacts(ctx context.Context, s inspect.Step) []artifactView {
	var all []artifactView
	for i, a := range (inspect.Run{Name: f.run.Name, Steps: []inspect.Step{s}}).Artifacts() {
		if i == mostOutputs {
			return append(all, artifactView{Name: "…", More: fmt.Sprintf("and %d more: proa artifact list --run %s", len(s.Outputs)-i, clean(f.run.Name))})
		}
		v := artifactView{
			Name: clean(a.Output), Preview: head(clean(a.Preview), oneValue), Type: head(clean(a.Type), oneValue), Size: inspect.Size(a.Size),
			Digest: fmt.Sprintf("%.*s", shownDigest, a.Digest),
		}
		m, err := f.Artifacts.Manifest(ctx, a.Digest)
		if err != nil {
			v.More = head(clean("Its content can't be shown: "+err.Error()), oneValue)
		} else {
			f.content(ctx, &v, m)
		}
		all = append(all, v)
	}
	return all
}

// content shows what can be shown of an artifact's files: pictures, and the first other file that is understood.
func (f *facts) content(ctx context.Context, v *artifactView, m step.Manifest) {
	files := 0
	for _, file := range m.Files {
		if file.Dir {
			continue
		}
		files++
		kind := strings.ToLower(path.Ext(file.Path))
		if kind == ".png" || kind == ".jpg" || kind == ".jpeg" || kind == ".gif" {
			if data, ok := f.data(ctx, file, int64(f.limit(allImages, oneImage)*3/4)); ok && len(v.Images) < 4 { // base64 is longer
				if url := dataURL(data); url != "" {
					v.Images = append(v.Images, url)
				}
			}
			continue
		}
		if v.Text != "" || v.Table != nil {
			continue
		}
		f.text(ctx, v, kind, file)
	}
	if files > 1 {
		v.More = fmt.Sprintf("%d files: proa artifact show %s", files, v.Digest)
	}
}

// text shows the beginning of a file.
func (f *facts) text(ctx context.Context, v *artifactView, kind string, file step.File) {
	limit := f.limit(allPreviews, onePreview)
	switch kind {
	case ".json", ".txt", ".md", ".csv", ".log", ".yaml", ".yml", ".npy":
	default:
		return
	}
	data := f.beginning(ctx, file, int64(4*limit))
	switch kind {
	case ".csv":
		v.Table = table(data, limit)
	case ".npy":
		v.Text = numbers(data, limit)
	case ".json":
		v.Text = head(clean(indented(data)), limit)
	default:
		v.Text = head(clean(string(data)), limit)
	}
	if v.Text == v.Preview || strings.Trim(v.Text, "\"\n ") == v.Preview {
		v.Text = "" // it says no more
	}
}

// data is the whole of a file that isn't larger than that.
func (f *facts) data(ctx context.Context, file step.File, most int64) ([]byte, bool) {
	if file.Size > most {
		return nil, false
	}
	data := f.beginning(ctx, file, most)
	return data, int64(len(data)) == file.Size
}

func (f *facts) beginning(ctx context.Context, file step.File, most int64) []byte {
	if len(file.Inline) > 0 || file.Size == 0 {
		return file.Inline[:min(int64(len(file.Inline)), most)]
	}
	data, err := f.Artifacts.Head(ctx, file.Digest, min(most, mostArtifactBytes))
	if err != nil {
		return nil
	}
	return data
}

// dataURL is a picture as a part of the page; empty if it isn't one, whatever its name says.
func dataURL(data []byte) template.URL {
	for prefix, kind := range map[string]string{"\x89PNG\r\n\x1a\n": "png", "\xff\xd8\xff": "jpeg", "GIF8": "gif"} {
		if bytes.HasPrefix(data, []byte(prefix)) {
			return template.URL("data:image/" + kind + ";base64," + base64.StdEncoding.EncodeToString(data)) //nolint:gosec // base64
		}
	}
	return ""
}

// indented is JSON as people read it, if that is the whole of a small document; otherwise it is as it was.
func indented(data []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, data, "", "  ") != nil || bytes.Count(out.Bytes(), []byte("\n")) > 60 {
		return string(data)
	}
	return out.String()
}

// table is the beginning of a file of comma-separated values.
func table(data []byte, limit int) [][]string {
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	var rows [][]string
	for len(rows) < tableRows {
		row, err := r.Read()
		if err != nil {
			break
		}
		row = row[:min(len(row), tableColumns)]
		for i := range row {
			row[i] = head(clean(row[i]), 60)
			limit -= len(row[i]) + 9
		}
		if limit < 0 {
			break
		}
		rows = append(rows, row)
	}
	return rows
}
