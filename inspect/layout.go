package inspect

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// Sizes of a drawing, in pixels.
const (
	boxHeight, boxGap      = 34.0, 14.0
	columnGap              = 46.0
	narrowBox, wideBox     = 90.0, 230.0
	letter, boxPadding     = 7.4, 40.0
	margin                 = 8.0
	knot                   = 8.0  // the height of a line that passes a column
	mostKnots              = 4000 // beyond, lines go straight through
	sweeps                 = 6
	longestName        int = 24
)

// Layout says where the steps of a graph are drawn, and how the lines between them run: from left to right, each step in the
// column behind those of the steps that it waits for.
type Layout struct {
	Width, Height float64
	Boxes         []Box
	Lines         []Line
}

// Box is where a step is.
type Box struct{ X, Y, Width, Height float64 }

// Line joins two steps, by their numbers in the graph, through points.
type Line struct {
	From, To int
	Points   []Point
}

// Point is a place in a drawing.
type Point struct{ X, Y float64 }

// item is a step, or the knot of a line, in a column.
type item struct {
	node   int // -1 for a knot
	height float64
	before []*item
	after  []*item
	order  float64
	x, y   float64
}

// Layout finds out where the steps of the graph are drawn.
func (g Graph) Layout() Layout {
	columns, items, lines := g.columns()
	arrange(columns)
	widths := make([]float64, len(columns))
	boxes := make([]Box, len(g.Nodes))
	x, height := margin, 0.0
	for i, column := range columns {
		widths[i] = g.columnWidth(column)
		height = max(height, place(column, x))
		x += widths[i] + columnGap
	}
	for i, column := range columns {
		// A column that is shorter than the highest one is in the middle.
		used := place(column, column[0].x)
		for _, it := range column {
			it.y += (height - used) / 2
			if it.node >= 0 {
				boxes[it.node] = Box{X: it.x, Y: it.y, Width: widths[i], Height: it.height}
			}
		}
	}
	layout := Layout{Width: max(x-columnGap, 0) + margin, Height: height + margin, Boxes: boxes}
	for _, l := range lines {
		layout.Lines = append(layout.Lines, l.line(items, boxes, widths, columns))
	}
	return layout
}

// path is a line before it has points: the knots it passes.
type path struct {
	from, to int
	knots    []*item
	first    int // the column of the first knot
}

func (p path) line(items []*item, boxes []Box, widths []float64, columns [][]*item) Line {
	from, to := boxes[p.from], items[p.to]
	points := []Point{{from.X + from.Width, from.Y + from.Height/2}}
	for i, k := range p.knots {
		y := k.y + k.height/2
		points = append(points, Point{k.x, y}, Point{columns[p.first+i][0].x + widths[p.first+i], y})
	}
	return Line{From: p.from, To: p.to, Points: append(points, Point{to.x, to.y + to.height/2})}
}

// columns puts the steps into columns, with a knot wherever a line passes one.
func (g Graph) columns() ([][]*item, []*item, []path) {
	number := make(map[string]int, len(g.Nodes))
	depth := make([]int, len(g.Nodes))
	items := make([]*item, len(g.Nodes))
	var columns [][]*item
	for i, n := range g.Nodes {
		number[n.Name] = i
		for _, need := range n.Needs {
			if from, known := number[need]; known {
				depth[i] = max(depth[i], depth[from]+1)
			}
		}
		for len(columns) <= depth[i] {
			columns = append(columns, nil)
		}
		items[i] = &item{node: i, height: boxHeight}
		columns[depth[i]] = append(columns[depth[i]], items[i])
	}
	var lines []path
	knots := 0
	for i, n := range g.Nodes {
		for _, need := range n.Needs {
			from, known := number[need]
			if !known {
				continue
			}
			p := path{from: from, to: i, first: depth[from] + 1}
			last := items[from]
			for c := p.first; c < depth[i] && knots < mostKnots; c++ {
				k := &item{node: -1, height: knot}
				columns[c] = append(columns[c], k)
				p.knots = append(p.knots, k)
				join(last, k)
				last = k
				knots++
			}
			join(last, items[i])
			lines = append(lines, p)
		}
	}
	return columns, items, lines
}

func join(a, b *item) {
	a.after = append(a.after, b)
	b.before = append(b.before, a)
}

// arrange orders each column so that few lines cross: each item goes to the middle of its neighbours, to and fro.
func arrange(columns [][]*item) {
	for _, column := range columns {
		rank(column)
	}
	for s := range sweeps {
		for i := range columns {
			column := columns[i]
			if s%2 == 1 {
				column = columns[len(columns)-1-i]
			}
			wanted := make(map[*item]float64, len(column))
			for _, it := range column {
				neighbours := it.before
				if s%2 == 1 {
					neighbours = it.after
				}
				wanted[it] = middle(neighbours, it.order)
			}
			slices.SortStableFunc(column, func(a, b *item) int { return cmp.Compare(wanted[a], wanted[b]) })
			rank(column)
		}
	}
}

// rank notes the order of a column, as a share of its height.
func rank(column []*item) {
	for i, it := range column {
		it.order = (float64(i) + 0.5) / float64(len(column))
	}
}

func middle(of []*item, otherwise float64) float64 {
	if len(of) == 0 {
		return otherwise
	}
	sum := 0.0
	for _, it := range of {
		sum += it.order
	}
	return sum / float64(len(of))
}

// place puts the items of a column below each other and returns its height.
func place(column []*item, x float64) float64 {
	y := margin
	for _, it := range column {
		it.x, it.y = x, y
		y += it.height + boxGap
	}
	return y - boxGap
}

// columnWidth is that of the longest name.
func (g Graph) columnWidth(column []*item) float64 {
	width := narrowBox
	for _, it := range column {
		if it.node >= 0 {
			letters := min(utf8.RuneCountInString(g.Nodes[it.node].Name), longestName)
			width = max(width, min(float64(letters)*letter+boxPadding, wideBox))
		}
	}
	return width
}
