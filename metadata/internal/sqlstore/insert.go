package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/proa-ml/proa/step"
)

// Bounds of one INSERT: the databases limit its parameters and its length.
const (
	insertRows  = 200
	insertBytes = 4 << 20
)

// insert is an INSERT of many rows, sent in few statements.
type insert struct {
	table   string
	columns []string
	// suffix is what follows the values.
	suffix string
	rows   [][]any
}

func (in *insert) add(values ...any) { in.rows = append(in.rows, values) }

func (in *insert) exec(ctx context.Context, tx *sql.Tx) error {
	for start := 0; start < len(in.rows); {
		end, size := start, 0
		for end < len(in.rows) && end-start < insertRows && (end == start || size+rowSize(in.rows[end]) <= insertBytes) {
			size += rowSize(in.rows[end])
			end++
		}
		if err := in.execRows(ctx, tx, in.rows[start:end]); err != nil {
			return err
		}
		start = end
	}
	return nil
}

func (in *insert) execRows(ctx context.Context, tx *sql.Tx, rows [][]any) error {
	row := "(?" + strings.Repeat(", ?", len(in.columns)-1) + ")"
	query := "INSERT INTO " + in.table + " (" + strings.Join(in.columns, ", ") + ") VALUES " +
		row + strings.Repeat(", "+row, len(rows)-1) + in.suffix
	var args []any
	for _, values := range rows {
		args = append(args, values...)
	}
	_, err := tx.ExecContext(ctx, query, args...)
	return err
}

func rowSize(values []any) int {
	size := 0
	for _, v := range values {
		if text, ok := v.(string); ok {
			size += len(text)
		}
	}
	return size
}

// Documents are JSON; none is the empty string.

func encodeOutputs(outputs map[string]step.Artifact) (string, error) {
	if len(outputs) == 0 {
		return "", nil
	}
	return encode(outputs)
}

func encode(v any) (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encoding for the database: %w", err)
	}
	return string(data), nil
}

func decode(document []byte, v any) error {
	if len(document) == 0 {
		return nil
	}
	if err := json.Unmarshal(document, v); err != nil {
		return fmt.Errorf("the database holds a damaged document: %w", err)
	}
	return nil
}
