package report

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// npyHeader is what the header of numpy's file format says, in the form that numpy writes it.
var npyHeader = regexp.MustCompile(`'descr': '([<|>])([a-z])(\d+)', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\)`)

// numbers shows the first numbers of an array in numpy's file format; nothing if it isn't understood.
func numbers(data []byte, limit int) string {
	if !bytes.HasPrefix(data, []byte("\x93NUMPY")) || len(data) < 12 {
		return ""
	}
	begin, length := 10, int(binary.LittleEndian.Uint16(data[8:]))
	if data[6] > 1 {
		begin, length = 12, int(binary.LittleEndian.Uint32(data[8:]))
	}
	if length < 0 || begin+length > len(data) {
		return ""
	}
	parts := npyHeader.FindStringSubmatch(string(data[begin : begin+length]))
	if parts == nil || parts[1] == ">" || parts[4] == "True" {
		return ""
	}
	width, err := strconv.Atoi(parts[3])
	if err != nil || width <= 0 || width > 8 {
		return ""
	}
	shape, total := shapeOf(parts[5])
	perRow := 1
	if n := len(shape); n > 0 {
		perRow = max(shape[n-1], 1)
	}
	rest := data[begin+length:]
	var b strings.Builder
	const most = 60
	shown := 0
	for shown < min(most, total) && len(rest) >= width {
		text := number(parts[2], rest[:width])
		if text == "" {
			return ""
		}
		if b.Len()+len(text) > limit-8 {
			break
		}
		separator := " "
		if shown > 0 && len(shape) > 1 && shown%perRow == 0 {
			separator = "\n"
		}
		if shown > 0 {
			b.WriteString(separator)
		}
		b.WriteString(text)
		rest = rest[width:]
		shown++
	}
	if shown < total {
		b.WriteString(" …")
	}
	return b.String()
}

// shapeOf returns an array's sizes and how many numbers it has.
func shapeOf(text string) ([]int, int) {
	var shape []int
	total := 1
	for part := range strings.SplitSeq(text, ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(part)); err == nil {
			shape = append(shape, n)
			total *= n
		}
	}
	return shape, max(total, 0)
}

// number is a number as people write it.
func number(kind string, data []byte) string {
	var padded [8]byte
	copy(padded[:], data)
	bits := binary.LittleEndian.Uint64(padded[:])
	spare := uint(64 - 8*len(data))
	switch {
	case kind == "f" && len(data) == 8:
		return strconv.FormatFloat(math.Float64frombits(bits), 'g', 6, 64)
	case kind == "f" && len(data) == 4:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(bits))), 'g', 6, 32) //nolint:gosec // four bytes
	case kind == "i":
		return fmt.Sprint(int64(bits<<spare) >> spare) //nolint:gosec // the same bits
	case kind == "u":
		return fmt.Sprint(bits)
	case kind == "b":
		return map[bool]string{true: "True", false: "False"}[bits != 0]
	}
	return ""
}
