package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestSVG checks that a drawing is well formed and shows its names, and only points that can be shown.
func TestSVG(t *testing.T) {
	p := Plot{Title: "a < b", X: "tokens", Y: "calls", Lines: []Line{
		{Name: "one & two", Strong: true, Points: []Point{{10, 0}, {100, 5}, {100_000, 1200}}},
		{Name: "nothing", Points: []Point{{10, 0}}},
	}}
	svg := string(p.SVG())
	d := xml.NewDecoder(strings.NewReader(svg))
	circles := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "circle" {
			circles++
		}
	}
	if circles != 2 {
		t.Errorf("%d points, want 2", circles)
	}
	for _, want := range []string{"a &lt; b", "one &amp; two", ">100,000<", ">10,000<", ">tokens<", ">calls<", "prefers-color-scheme"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(svg, "nothing") {
		t.Error("a line without points is in the legend")
	}
}

// TestNumber checks the words of the axes.
func TestNumber(t *testing.T) {
	for power, want := range map[int]string{-3: "0.001", -1: "0.1", 0: "1", 2: "100", 3: "1,000", 4: "10,000", 6: "1,000,000", 7: "10,000,000"} {
		if got := number(power); got != want {
			t.Errorf("10^%d is %s, want %s", power, got, want)
		}
	}
}

// TestEmpty checks that a plot of nothing is still a drawing.
func TestEmpty(t *testing.T) {
	if svg := string(Plot{Title: "x"}.SVG()); !strings.HasSuffix(svg, "</svg>\n") {
		t.Error(svg)
	}
}
