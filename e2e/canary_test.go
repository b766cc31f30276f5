package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/go-sql-driver/mysql"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/rogpeppe/go-internal/testscript"
)

// canaries are texts that must not be found, and how they would be written.
type canaries []string

func newCanaries(words []string) canaries {
	var all canaries
	for _, word := range words {
		quoted, _ := json.Marshal(word)
		all = append(all, word, strings.Trim(string(quoted), `"`), base64.StdEncoding.EncodeToString([]byte(word)))
	}
	return all
}

// in returns the canary that is found in data; empty if there is none.
func (c canaries) in(data []byte) string {
	for _, word := range c {
		if bytes.Contains(data, []byte(word)) {
			return word
		}
	}
	return ""
}

// dbuser makes a user of the database server who may do all with the script's database. The password is a file's content.
func dbuser(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: dbuser name password-file")
	}
	db := openDatabase(ts, "")
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace
	password := strings.TrimRight(ts.ReadFile(args[1]), "\n")
	for _, statement := range []string{
		fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'", args[0], escape(password)),
		fmt.Sprintf("GRANT ALL ON `%s`.* TO '%s'@'%%'", databaseName(ts), args[0]),
	} {
		_, err := db.Exec(statement)
		ts.Check(err)
	}
	ts.Defer(func() {
		_, _ = db.Exec(fmt.Sprintf("DROP USER '%s'@'%%'", args[0]))
		_ = db.Close()
	})
}

func databaseName(ts *testscript.TestScript) string {
	return strings.ReplaceAll(ts.Getenv("ID"), "-", "_")
}

func openDatabase(ts *testscript.TestScript, database string) *sql.DB {
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", net.JoinHostPort(ts.Getenv("PROA_TEST_MYSQL_HOST"), ts.Getenv("PROA_TEST_MYSQL_PORT"))
	c.User, c.Passwd, c.DBName = ts.Getenv("PROA_TEST_MYSQL_USER"), ts.Getenv("PROA_TEST_MYSQL_PASSWORD"), database
	connector, err := mysql.NewConnector(c)
	ts.Check(err)
	return sql.OpenDB(connector)
}

// nowhere looks for words in all that a run leaves behind: the script's folder, the database, the artifact store, and the
// images of the given pipeline. Negated, it is that each of these holds one, which shows that it would be found.
func nowhere(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: [!] nowhere pipeline word ...")
	}
	words := newCanaries(args[1:])
	for where, look := range map[string]func(*testscript.TestScript, canaries) (looked int, found string, err error){
		"files":          inFiles,
		"database":       inDatabase,
		"artifact store": inObjects,
		"images": func(ts *testscript.TestScript, words canaries) (int, string, error) {
			return inImages(ts, args[0], words)
		},
	} {
		looked, found, err := look(ts, words)
		switch {
		case err != nil:
			ts.Fatalf("looking into the %s: %v", where, err)
		case !neg && found != "":
			ts.Fatalf("%s: a canary is in %s", where, found)
		case neg && found == "":
			ts.Fatalf("%s: not found in any of %d", where, looked)
		}
		ts.Logf("%s: looked into %d", where, looked)
	}
}

func inFiles(ts *testscript.TestScript, words canaries) (looked int, found string, err error) {
	err = filepath.WalkDir(ts.MkAbs("."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		looked++
		if word := words.in(data); word != "" {
			found = path
		}
		return err
	})
	return looked, found, err
}

func inDatabase(ts *testscript.TestScript, words canaries) (looked int, found string, err error) {
	db := openDatabase(ts, databaseName(ts))
	defer func() { err = errors.Join(err, db.Close()) }()
	tables, err := column(db, "SHOW TABLES")
	if err != nil {
		return 0, "", err
	}
	for _, table := range tables {
		rows, err := cells(db, "SELECT * FROM `"+table+"`")
		if err != nil {
			return looked, "", err
		}
		looked += len(rows)
		for _, cell := range rows {
			if words.in(cell) != "" {
				found = table
			}
		}
	}
	return looked, found, nil
}

func column(db *sql.DB, query string) ([]string, error) {
	all, err := cells(db, query)
	var texts []string
	for _, cell := range all {
		texts = append(texts, string(cell))
	}
	return texts, err
}

// cells returns all that a query gives, row after row.
func cells(db *sql.DB, query string) (all [][]byte, err error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close(), rows.Err()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		row, into := make([][]byte, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		all = append(all, row...)
	}
	return all, nil
}

func inObjects(ts *testscript.TestScript, words canaries) (looked int, found string, err error) {
	ctx, v := context.Background(), func(name string) string { return ts.Getenv("PROA_TEST_S3_" + name) }
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(v("ENDPOINT")), Region: v("REGION"), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(v("KEY"), v("SECRET"), ""),
	})
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: aws.String(v("BUCKET")), Prefix: aws.String(ts.Getenv("ID"))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return looked, "", err
		}
		for _, object := range page.Contents {
			got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(v("BUCKET")), Key: object.Key})
			if err != nil {
				return looked, "", err
			}
			data, err := io.ReadAll(got.Body)
			if err := errors.Join(err, got.Body.Close()); err != nil {
				return looked, "", err
			}
			looked++
			if words.in(data) != "" || words.in([]byte(*object.Key)) != "" {
				found = *object.Key
			}
		}
	}
	return looked, found, nil
}

// inImages looks into manifests, configurations and layers of a pipeline's images and of the coordinator's. The layers of
// the base image were there before.
func inImages(ts *testscript.TestScript, pipeline string, words canaries) (looked int, found string, err error) {
	repository := ts.Getenv("PROA_TEST_REGISTRY") + "/proa"
	insecure := []crane.Option{crane.Insecure}
	tags, err := crane.ListTags(repository, insecure...)
	if err != nil {
		return 0, "", err
	}
	base := map[v1.Hash]bool{}
	parent, err := crane.Pull(ts.Getenv("PROA_TEST_PARENT_IMAGE"), insecure...)
	if err == nil {
		layers, _ := parent.Layers()
		for _, layer := range layers {
			digest, _ := layer.DiffID()
			base[digest] = true
		}
	}
	ours := slices.DeleteFunc(tags, func(tag string) bool { return tag != "coordinator" && !strings.HasPrefix(tag, pipeline) })
	if !slices.ContainsFunc(ours, func(tag string) bool { return strings.HasPrefix(tag, pipeline) }) {
		return 0, "", fmt.Errorf("%s has no tag of the pipeline %s", repository, pipeline)
	}
	for _, tag := range ours {
		ref, err := name.ParseReference(repository+":"+tag, name.Insecure)
		if err != nil {
			return looked, "", err
		}
		image, err := crane.Pull(ref.String(), insecure...)
		if err != nil {
			return looked, "", err
		}
		more, where, err := inImage(image, base, words)
		if err != nil {
			return looked, "", fmt.Errorf("%s: %w", ref, err)
		}
		looked += more
		if where != "" {
			found = ref.String() + ": " + where
		}
	}
	return looked, found, nil
}

func inImage(image v1.Image, base map[v1.Hash]bool, words canaries) (looked int, found string, err error) {
	manifest, err := image.RawManifest()
	if err != nil {
		return 0, "", err
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return 0, "", err
	}
	if words.in(manifest) != "" || words.in(config) != "" {
		found = "manifest or configuration"
	}
	layers, err := image.Layers()
	if err != nil {
		return 0, "", err
	}
	for _, layer := range layers {
		digest, err := layer.DiffID()
		if err != nil {
			return looked, "", err
		}
		if base[digest] {
			continue
		}
		more, where, err := inLayer(layer, words)
		if err != nil {
			return looked, "", err
		}
		if looked += more; where != "" {
			found = where
		}
	}
	return looked, found, nil
}

func inLayer(layer v1.Layer, words canaries) (looked int, found string, err error) {
	content, err := layer.Uncompressed()
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	for files := tar.NewReader(content); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return looked, found, nil
		}
		if err != nil {
			return looked, "", err
		}
		data, err := io.ReadAll(files)
		if err != nil {
			return looked, "", err
		}
		looked++
		if words.in(data) != "" || words.in([]byte(header.Name)) != "" {
			found = header.Name
		}
	}
}

// processes looks for words in the command lines and environments of this machine's processes, which are also those of
// the throw-away cluster's pods. The environment of a step's own process may hold them.
func processes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: processes word ...")
	}
	words, looked := newCanaries(args), 0
	folders, err := filepath.Glob("/proc/[0-9]*")
	ts.Check(err)
	for _, folder := range folders {
		line, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		if err != nil {
			continue // it has ended
		}
		looked++
		if words.in(line) != "" {
			ts.Fatalf("the command line of process %s holds a canary", filepath.Base(folder))
		}
		environ, err := os.ReadFile(filepath.Join(folder, "environ"))
		if err == nil && !bytes.Contains(line, []byte("proa.runner")) && words.in(environ) != "" {
			ts.Fatalf("the environment of process %s (%s) holds a canary", filepath.Base(folder), bytes.ReplaceAll(line, []byte{0}, []byte(" ")))
		}
	}
	if looked == 0 {
		ts.Logf("this system shows no processes")
	}
}
