// Package plot draws lines over two logarithmic axes as SVG, readable on light and dark pages.
package plot

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Plot is a drawing of how something grows.
type Plot struct {
	Title string // what is shown, and in which unit
	X, Y  string // what the axes are, with their units
	Lines []Line
}

// Line is one row of points. Points that are not above zero cannot be shown on a logarithmic axis and are left out.
type Line struct {
	Name   string
	Strong bool // what the reader should see first
	Points []Point
}

// Point is one point.
type Point struct{ X, Y float64 }

// The drawing's measures, in pixels.
const (
	width, height            = 1000, 440
	left, right, top, bottom = 84, 430, 56, 64
	legendStep, legendLine   = 22, 26
)

// The lines' colours can be told apart with any kind of sight (Okabe and Ito), and have a second form for dark pages.
var colours = []struct{ light, dark string }{
	{"#0072b2", "#56b4e9"}, {"#d55e00", "#ff9248"}, {"#009e73", "#3fd0a4"}, {"#b5488a", "#e08fc0"},
	{"#8a6d00", "#e6c229"}, {"#5b5b5b", "#b8b8b8"}, {"#6a4fb3", "#ab97f0"}, {"#a33a3a", "#ef8a8a"},
}

// Each line has its own dashes too.
var dashes = []string{"", "7 4", "2 3", "9 3 2 3", "4 2", "12 4", "1 2", "6 2 1 2"}

// SVG returns the drawing.
func (p Plot) SVG() []byte {
	lines := p.visible()
	b := &bytes.Buffer{}
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, escaped(p.Title))
	style(b)
	fmt.Fprintf(b, `<rect class="card" x="0.5" y="0.5" width="%d" height="%d" rx="8"/>`+"\n", width-1, height-1)
	fmt.Fprintf(b, `<text class="title" x="%d" y="30">%s</text>`+"\n", left, escaped(p.Title))
	if len(lines) > 0 {
		x := axis(lines, func(q Point) float64 { return q.X })
		y := axis(lines, func(q Point) float64 { return q.Y })
		x.from, x.to, y.from, y.to = left, width-right, height-bottom, top
		p.axes(b, x, y)
		draw(b, lines, x, y)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// visible returns the lines with the points that can be shown; the one that ends highest comes first, as in the legend.
func (p Plot) visible() []Line {
	var lines []Line
	for _, l := range p.Lines {
		l.Points = slices.DeleteFunc(slices.Clone(l.Points), func(q Point) bool { return !(q.X > 0 && q.Y > 0) })
		if len(l.Points) > 0 {
			lines = append(lines, l)
		}
	}
	slices.SortStableFunc(lines, func(a, b Line) int {
		return cmp.Compare(b.Points[len(b.Points)-1].Y, a.Points[len(a.Points)-1].Y)
	})
	return lines
}

func style(b *bytes.Buffer) {
	b.WriteString("<style>\n" +
		"text { font: 13px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #24292f }\n" +
		".title { font-size: 16px; font-weight: 600 }\n.card { fill: #ffffff; stroke: #d0d7de }\n" +
		".grid { stroke: #d8dee4; stroke-width: 1 }\n.axis { stroke: #57606a; stroke-width: 1 }\n.line { fill: none; stroke-width: 1.6 }\n.strong { stroke-width: 3 }\n")
	for i, c := range colours {
		fmt.Fprintf(b, ".s%d { stroke: %s } .f%d { fill: %s }\n", i, c.light, i, c.light)
	}
	b.WriteString("@media (prefers-color-scheme: dark) {\ntext { fill: #e6edf3 }\n.card { fill: #161b22; stroke: #30363d }\n" +
		".grid { stroke: #30363d }\n.axis { stroke: #8b949e }\n")
	for i, c := range colours {
		fmt.Fprintf(b, ".s%d { stroke: %s } .f%d { fill: %s }\n", i, c.dark, i, c.dark)
	}
	b.WriteString("}\n</style>\n")
}

// scale is a logarithmic axis: powers of ten, and where they are drawn.
type scale struct {
	low, high int // powers of ten
	from, to  float64
}

// axis returns the axis that holds all points.
func axis(lines []Line, of func(Point) float64) scale {
	low, high := math.Inf(1), math.Inf(-1)
	for _, l := range lines {
		for _, q := range l.Points {
			low, high = min(low, of(q)), max(high, of(q))
		}
	}
	s := scale{low: int(math.Floor(math.Log10(low))), high: int(math.Ceil(math.Log10(high)))}
	if s.high <= s.low {
		s.high = s.low + 1
	}
	return s
}

func (s scale) at(v float64) float64 {
	return s.from + (s.to-s.from)*(math.Log10(v)-float64(s.low))/float64(s.high-s.low)
}

// axes draws the grid, the numbers and the names of the axes.
func (p Plot) axes(b *bytes.Buffer, x, y scale) {
	for power := x.low; power <= x.high; power++ {
		at := x.at(math.Pow10(power))
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, at, y.from, at, y.to)
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n", at, y.from+20, number(power))
	}
	for power := y.low; power <= y.high; power++ {
		at := y.at(math.Pow10(power))
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, x.from, at, x.to, at)
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="end">%s</text>`+"\n", x.from-8, at+4, number(power))
	}
	fmt.Fprintf(b, `<path class="axis" fill="none" d="M%.1f %.1fV%.1fH%.1f"/>`+"\n", x.from, y.to, y.from, x.to)
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n", (x.from+x.to)/2, y.from+44, escaped(p.X))
	fmt.Fprintf(b, `<text transform="translate(22 %.1f) rotate(-90)" text-anchor="middle">%s</text>`+"\n", (y.from+y.to)/2, escaped(p.Y))
}

// draw draws the lines, their points and the legend.
func draw(b *bytes.Buffer, lines []Line, x, y scale) {
	for i, l := range lines {
		class, dash := fmt.Sprint("line s", i%len(colours)), dashes[i%len(dashes)]
		if l.Strong {
			class, dash = class+" strong", ""
		}
		dashed := ""
		if dash != "" {
			dashed = ` stroke-dasharray="` + dash + `"`
		}
		fmt.Fprintf(b, `<path class="%s"%s d="`, class, dashed)
		for j, q := range l.Points {
			command := "L"
			if j == 0 {
				command = "M"
			}
			fmt.Fprintf(b, "%s%.1f %.1f", command, x.at(q.X), y.at(q.Y))
		}
		b.WriteString("\"/>\n")
		for _, q := range l.Points {
			fmt.Fprintf(b, `<circle class="f%d" cx="%.1f" cy="%.1f" r="3"/>`, i%len(colours), x.at(q.X), y.at(q.Y))
		}
		at := float64(top + 8 + i*legendStep)
		fmt.Fprintf(b, "\n"+`<path class="%s"%s d="M%.1f %.1fh%d"/><text x="%.1f" y="%.1f">%s</text>`+"\n",
			class, dashed, x.to+16, at, legendLine, x.to+16+legendLine+8, at+4, escaped(l.Name))
	}
}

// number writes a power of ten as people do.
func number(power int) string {
	if power < 0 {
		return strconv.FormatFloat(math.Pow10(power), 'f', -power, 64)
	}
	digits := "1"
	for left := power; left > 0; left-- {
		if left%3 == 0 {
			digits += ","
		}
		digits += "0"
	}
	return digits
}

func escaped(text string) string {
	b := &bytes.Buffer{}
	if err := xml.EscapeText(b, []byte(text)); err != nil {
		return ""
	}
	return b.String()
}
