package inspect

import (
	"fmt"
	"html"
	"strings"
	"unicode"
)

// SVG draws the graph as a picture of its own, for light and dark surroundings.
func (g Graph) SVG() string {
	return g.svg("<style>"+svgStyle+"</style>", nil)
}

// Figure draws the graph for a page that has the styles of its own: .box, .line and .name, and the status as another class. Each
// step links to what link says.
func (g Graph) Figure(link func(node int) string) string { return g.svg("", link) }

const svgStyle = `svg{font:13px system-ui,sans-serif}.line{fill:none;stroke:#868e96;stroke-width:1.4}.box rect{fill:#f1f3f5;stroke:#adb5bd}` +
	`.name{fill:#212529}.succeeded rect{fill:#d3f9d8;stroke:#51a35f}.cached rect{fill:#d0ebff;stroke:#4a90c2}` +
	`.failed rect{fill:#ffe3e3;stroke:#d6404e}.running rect{fill:#fff3bf;stroke:#c9971c}` +
	`@media(prefers-color-scheme:dark){.name{fill:#e9ecef}.box rect{fill:#2b3035;stroke:#6c757d}.succeeded rect{fill:#17391f}` +
	`.cached rect{fill:#15324a}.failed rect{fill:#4a1c22}.running rect{fill:#453a12}}`

// leastScale is how small a page may draw a figure before it is scrolled.
const leastScale = 0.75

func (g Graph) svg(style string, link func(int) string) string {
	l := g.Layout()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" style="min-width:%.0fpx" role="img" aria-label="the steps and what they wait for">%s`,
		l.Width, l.Height, l.Width, l.Height, leastScale*l.Width, style)
	for _, line := range l.Lines {
		fmt.Fprintf(&b, `<path class="line" d="%s"/>`, curve(line.Points))
	}
	for i, n := range g.Nodes {
		box := l.Boxes[i]
		name := Label(Printable(n.Name))
		if link != nil {
			fmt.Fprintf(&b, `<a href="%s">`, html.EscapeString(link(i)))
		}
		fmt.Fprintf(&b, `<g class="box %s"><title>%s: %s</title><rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="7"/>`+
			`<text class="name" x="%.1f" y="%.1f">%s %s</text></g>`,
			html.EscapeString(n.Status), html.EscapeString(name), html.EscapeString(n.Status), box.X, box.Y, box.Width, box.Height,
			box.X+11, box.Y+box.Height/2+4.5, Mark(n.Status), html.EscapeString(shortened(name)))
		if link != nil {
			b.WriteString("</a>")
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// curve draws a line that leaves and enters its ends level.
func curve(points []Point) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%.1f %.1f", points[0].X, points[0].Y)
	for i := 1; i < len(points); i++ {
		from, to := points[i-1], points[i]
		if from.Y == to.Y {
			fmt.Fprintf(&b, "H%.1f", to.X)
			continue
		}
		half := (to.X - from.X) / 2
		fmt.Fprintf(&b, "C%.1f %.1f %.1f %.1f %.1f %.1f", from.X+half, from.Y, to.X-half, to.Y, to.X, to.Y)
	}
	return b.String()
}

func shortened(name string) string {
	if runes := []rune(name); len(runes) > longestName {
		return string(runes[:longestName-1]) + "…"
	}
	return name
}

// Printable replaces what can't be shown, or would change how other text is shown.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r >= 0xfffe && r <= 0xffff:
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
}
