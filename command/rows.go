// The check of a store of rows: a file or a database, which has no index to repair.

package command

import (
	"errors"
	"fmt"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
	"github.com/spf13/cobra"
)

// rowsReport is what a check of a store of rows reports.
type rowsReport struct {
	Tokens     int      `json:"tokens"`
	Unreadable []string `json:"unreadable"`
	Warnings   []string `json:"warnings"`
}

// checkRows prints what is wrong with the rows of a store.
func checkRows(command *cobra.Command, store tokenstore.Store) error {
	warner, ok := tokenstore.As[tokenstore.Warner](store)
	if !ok {
		return &usageError{errors.New("this store has nothing to check; list shows its tokens")}
	}
	warnings, err := warner.Warnings(command.Context())
	if err != nil {
		return err
	}
	report := rowsReport{Unreadable: []string{}, Warnings: []string{}}
	report.Warnings = append(report.Warnings, warnings[""]...) // Of the store as a whole.
	var unread []error
	for t, err := range allTokens(command.Context(), store, false) {
		switch {
		case errors.Is(err, tokenstore.ErrUnreadable):
			unread = append(unread, err)
			continue
		case err != nil:
			return err
		}
		report.Tokens++
		for _, w := range warnings[t.ID] {
			report.Warnings = append(report.Warnings, "token "+t.ID+": "+w)
		}
	}
	if report.Tokens == 0 && len(unread) > 0 {
		return errors.Join(unread...)
	}
	for _, e := range unread {
		for _, row := range rowstore.SplitErrors(e) {
			report.Unreadable = append(report.Unreadable, row.Error())
		}
	}
	if err := report.print(command); err != nil {
		return err
	}
	if len(report.Unreadable)+len(report.Warnings) > 0 {
		return &incompleteError{}
	}
	return nil
}

func (r rowsReport) print(command *cobra.Command) error {
	w := command.OutOrStdout()
	if asJSON, _ := command.Flags().GetBool("json"); asJSON {
		return printJSON(w, r)
	}
	t := newTable(w, "WHAT", "COUNT", "REMARK")
	t.row("tokens", fmt.Sprint(r.Tokens), "")
	t.row("unreadable rows", fmt.Sprint(len(r.Unreadable)), "put right by hand")
	t.row("warnings", fmt.Sprint(len(r.Warnings)), "")
	if err := t.flush(); err != nil {
		return err
	}
	if all := append(r.Unreadable, r.Warnings...); len(all) > 0 {
		_, err := fmt.Fprintln(w, "\n"+wrapLines(w, printableLines(all)))
		return err
	}
	return nil
}
