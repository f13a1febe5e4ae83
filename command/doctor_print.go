// How doctor prints what it has found.

package command

import (
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

// shown returns findings as they are printed: with the program's name and the store's URL in
// their repairs.
func (d *doctor) shown(verb *cobra.Command, found []tokenstore.Finding) []finding {
	all := []finding{}
	for _, f := range found {
		all = append(all, finding{
			Code: f.Code, Severity: f.Severity, Where: printable(f.Where), What: printable(f.What),
			Repair: repairLine(f.Repair, verb.Root().Name(), d.url), Mends: f.Mends, fault: f.Err,
		})
	}
	return all
}

var withParam = regexp.MustCompile(`\{store\+([a-z_]+)=([a-z]+)\}`)

// repairLine fills in a finding's repair.
func repairLine(repair, name, store string) string {
	repair = withParam.ReplaceAllStringFunc(repair, func(place string) string {
		m := withParam.FindStringSubmatch(place)
		u, err := url.Parse(store)
		if err != nil {
			return shellWord(store)
		}
		query := u.Query()
		query.Set(m[1], m[2])
		u.RawQuery = query.Encode()
		return shellWord(u.String())
	})
	return printable(strings.NewReplacer("{name}", name, "{store}", shellWord(store)).Replace(repair))
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]+$`)

// shellWord quotes a word as a shell needs it.
func shellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// list names the findings that can be repaired, for a question.
func list(findings []finding) string {
	var text strings.Builder
	for _, f := range findings {
		if f.Mends {
			_, _ = fmt.Fprintf(&text, "  %s %s\n", f.Code, f.Where)
		}
	}
	return text.String()
}

func (d *doctor) print(verb *cobra.Command) error {
	w := verb.OutOrStdout()
	if wantsJSON(verb) {
		return printJSON(w, d.report)
	}
	var text strings.Builder
	mended, width := 0, widthOf(w)
	for i, f := range d.report.Findings {
		if i > 0 {
			_, _ = text.WriteString("\n")
		}
		_, _ = fmt.Fprintf(&text, "%s: %s", f.Severity, f.Code)
		if f.Where != "" {
			_, _ = fmt.Fprintf(&text, " (%s)", f.Where)
		}
		_, _ = fmt.Fprintf(&text, "\n%s\n", wrap("  "+f.What, width, 2))
		if f.Outcome == outcomeMended {
			mended++
			_, _ = fmt.Fprintf(&text, "  mended\n")
			continue
		}
		if f.Outcome == outcomeWouldMend {
			_, _ = fmt.Fprintf(&text, "  would be mended\n")
			continue
		}
		if f.Reason != "" {
			_, _ = text.WriteString(wrap("  not mended: "+printable(f.Reason), width, 4) + "\n")
		}
		_, _ = fmt.Fprintf(&text, "  repair: %s\n", f.Repair)
	}
	if n := len(d.report.Findings); n > 0 {
		summary := "\n" + count(n, "finding")
		switch safe := safeOnes(d.report.Findings); {
		case d.repair && !d.consent.dryRun:
			summary += fmt.Sprintf(": %d mended, %d stay", mended, n-mended)
		case d.repair:
			summary += fmt.Sprintf(": %d would be mended (dry run: nothing was changed)", safe)
		case safe > 0:
			summary += fmt.Sprintf("; --repair mends %d", safe)
		}
		_, _ = text.WriteString(wrapLines(w, summary) + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func safeOnes(findings []finding) (n int) {
	for _, f := range findings {
		if f.Mends {
			n++
		}
	}
	return n
}
