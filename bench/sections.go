// The figures as sections of the pages, and as plots.

package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"example.com/tokenstore/bench/plot"
	"example.com/tokenstore/internal/costs"
)

const missing = "–"

// withTokens names a way, and says how many tokens it holds if they are fewer than the others.
func withTokens(name string, tokens, all int) string {
	if tokens < all {
		return fmt.Sprintf("%s, %d tokens", name, tokens)
	}
	return name
}

// strong marks this library's rows.
func strong(name string, ours bool) string {
	if ours {
		return "**" + name + "**"
	}
	return name
}

// callsSection shows the calls and the simulated time of each operation.
func callsSection(all []counted, tokens int) string {
	var b strings.Builder
	head := []string{"", "", "Calls:"}
	for _, rtt := range roundTrips {
		head = append(head, duration(rtt)+":")
	}
	for _, op := range operations {
		var rows [][]string
		for _, c := range all {
			cost, ok := c.costs[op]
			if !ok || c.alike {
				continue
			}
			r := []string{c.service, strong(withTokens(c.name, cost.tokens, tokens), c.ours), integer(cost.calls)}
			for _, t := range cost.times {
				r = append(r, duration(t))
			}
			rows = append(rows, r)
		}
		if len(rows) > 0 {
			fmt.Fprintf(&b, "### %s\n\n%s\n", capital(string(op)), table(head, rows))
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// costSection shows a month's bill.
func costSection(all []counted, tokens int) string {
	var rows [][]string
	for _, c := range all {
		if c.bill == nil {
			continue
		}
		note := c.note
		rows = append(rows, []string{
			c.service, strong(withTokens(c.name, c.stored(tokens), tokens), c.ours), money(c.bill.stored), money(c.bill.calls), money(c.bill.sum()), note,
		})
	}
	text := fmt.Sprintf("%s tokens, each refreshed hourly and found by user %d times in between, for %d days. Prices: "+
		"AWS $%.2f for a secret and $%.2f for 10,000 calls ([list](%s), %s); Google Cloud $%.2f for a version in one location and $%.2f "+
		"for 10,000 accesses ([list](%s), %s), without the free tier. Vault charges for neither.",
		integer(tokens), findsAnHour, hoursAMonth/24, costs.AWS.Stored, costs.AWS.PerCall*1e4, costs.AWS.Source, costs.AWS.Read,
		costs.GCP.Stored, costs.GCP.PerCall*1e4, costs.GCP.Source, costs.GCP.Read)
	return wrapped(text) + "\n" + table([]string{"", "", "Stored:", "Calls:", "A month:", "What it lacks"}, rows)
}

// usageSection shows what each operation uses in the process.
func usageSection(all []measured, tokens int) string {
	var b strings.Builder
	b.WriteString(wrapped(machine()) + "\n")
	for _, op := range operations {
		var rows [][]string
		for _, m := range all {
			u, ok := m.uses[op]
			if !ok {
				continue
			}
			allocs, bytes := missing, missing
			if u.allocs >= 0 {
				allocs, bytes = integer(int(u.allocs+0.5)), digits(u.bytes/1024)
			}
			rows = append(rows, []string{m.service, strong(withTokens(m.name, m.tokens, tokens), m.ours), duration(u.cpu), duration(u.wall), allocs, bytes})
		}
		if len(rows) > 0 {
			fmt.Fprintf(&b, "### CPU: %s\n\n%s\n", op, table([]string{"", "", "CPU:", "Time:", "Allocations:", "KiB:"}, rows))
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// machine says where and when the figures were measured.
func machine() string {
	return fmt.Sprintf("Measured on %s with %s, %s/%s, on %d cores of: %s.", time.Now().UTC().Format("2 January 2006"),
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor())
}

// promiseSection shows the ratios and their bounds.
func promiseSection(all []promise) string {
	rows := make([][]string, 0, len(all))
	for _, p := range all {
		bound, met := "≤ "+digits(p.bound), "met"
		if p.least {
			bound = "≥ " + digits(p.bound)
		}
		if !p.met() {
			met = "**not met**"
		}
		rows = append(rows, []string{p.what, p.ours, p.against, digits(p.ratio), bound, met})
	}
	return table([]string{"", "This library:", "The other:", "Ratio:", "Bound:", ""}, rows)
}

// growthSection shows how calls and bills grow.
func growthSection(all []grown, sizes []int) string {
	var b strings.Builder
	head := []string{"", ""}
	for _, n := range sizes {
		head = append(head, integer(n)+":")
	}
	part := func(title string, cell func(g grown, n int) (string, bool)) {
		var rows [][]string
		for _, g := range all {
			row, any := []string{g.service, strong(g.name, g.ours)}, false
			for _, n := range sizes {
				text, ok := cell(g, n)
				if !ok {
					text = missing
				}
				row, any = append(row, text), any || ok
			}
			if any {
				rows = append(rows, row)
			}
		}
		fmt.Fprintf(&b, "### %s\n\n%s\n", title, table(head, rows))
	}
	for _, op := range []operation{findRefresh, list} {
		part("Calls by the number of tokens: "+string(op), func(g grown, n int) (string, bool) {
			calls, ok := g.calls[op][n]
			return integer(calls), ok && remote(g.way)
		})
	}
	part("Dollars a month by the number of tokens", func(g grown, n int) (string, bool) {
		d, ok := g.bills[n]
		return money(d.sum()), ok
	})
	return strings.TrimSuffix(b.String(), "\n")
}

// readmeSection is the short form for the README: what can be counted, this library beside the client alone.
func readmeSection(all []counted, tokens int) string {
	var rows [][]string
	for _, c := range all {
		if !remote(c.way) || c.alike || c.most > 0 || c.costs == nil {
			continue
		}
		cell := func(op operation) string {
			cost, ok := c.costs[op]
			if !ok {
				return missing
			}
			return fmt.Sprintf("%s, %s", integer(cost.calls), duration(cost.times[slices.Index(roundTrips, 20*time.Millisecond)]))
		}
		bill := missing
		if c.bill != nil {
			bill = money(c.bill.sum())
		}
		rows = append(rows, []string{c.service, strong(c.name, c.ours), cell(findUser), cell(findRefresh), cell(save), cell(list), bill})
	}
	return table([]string{"", "", "Find by user:", "By refresh token:", "Save after a refresh:", "List " + integer(tokens) + ":", "A month:"}, rows)
}

// plots returns the drawings by the names of their files.
func plots(all []grown, sizes []int) map[string]plot.Plot {
	const across = "tokens in the store"
	calls := func(op operation) func(grown, int) (float64, bool) {
		return func(g grown, n int) (float64, bool) { v, ok := g.calls[op][n]; return float64(v), ok }
	}
	cpu := func(op operation) func(grown, int) (float64, bool) {
		return func(g grown, n int) (float64, bool) { v, ok := g.cpu[op][n]; return float64(v) / 1e3, ok }
	}
	bill := func(g grown, n int) (float64, bool) { d, ok := g.bills[n]; return d.sum(), ok }
	on := func(service string) func(way) bool { return func(w way) bool { return w.service == service } }
	nameOnly := func(w way) string { return w.name }
	growing := func(w way) bool { return remote(w) && w.most == 0 }
	notSourced := func(w way) bool { return remote(w) && w.ours || w.name == "SDK client, name known" || !remote(w) }
	return map[string]plot.Plot{
		"calls-find.svg": {Title: "Calls of a find by refresh token on AWS", X: across, Y: "calls", Lines: lines(all, sizes, on(onAWS), nameOnly, calls(findRefresh))},
		"calls-list.svg": {Title: "Calls of a list of all tokens", X: across, Y: "calls", Lines: lines(all, sizes, growing, way.label, calls(list))},
		"cpu-find.svg":   {Title: "CPU of a find by user", X: across, Y: "µs", Lines: lines(all, sizes, notSourced, way.label, cpu(findUser))},
		"cpu-save.svg":   {Title: "CPU of a save after a refresh", X: across, Y: "µs", Lines: lines(all, sizes, notSourced, way.label, cpu(save))},
		"cost-aws.svg":   {Title: "Dollars a month on AWS, refreshed hourly", X: across, Y: "US dollars a month", Lines: lines(all, sizes, on(onAWS), nameOnly, bill)},
		"cost-gcp.svg":   {Title: "Dollars a month on Google Cloud, refreshed hourly", X: across, Y: "US dollars a month", Lines: lines(all, sizes, on(onGCP), nameOnly, bill)},
	}
}
