// The command that moves tokens.

package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/importer"
	"example.com/tokenstore/internal/rowstore"
	"example.com/tokenstore/secretstore"
	"github.com/spf13/cobra"
)

func importCommand() *cobra.Command {
	var options importer.Options
	var to, user, report string
	command := &cobra.Command{
		Use:     "import SOURCE --to STORE",
		Aliases: []string{"copy"},
		Short:   "Move all tokens of one store into another",
		Long: `Import moves all tokens of the source into a store, and reports what became of each:

  created         the store had no such token, and has it now
  updated         the store had it with other values, and now has the source's; with
                  --update or --overwrite
  already there   the store had it, with the same values
  folded          another row of the source is the same token, and was moved together
                  with the values that only this one has; or, with --update, the store's
                  own access token expires later
  left to decide  moving the row would give up what another row or the store has; the
                  remark says what helps
  refused         the row cannot be moved; the remark says why
  not written     the import ended before this row; run it again. Rows that it did not
                  reach are only counted

Two rows of one user are folded only if they are of one client, and have the same
refresh token or one of them has none. With --client, only the rows of one client are
moved, and those that name no client; with --user, only those of users that match.

Files and tables that SDKs and other programs wrote are read leniently: many names of
columns, an expiry as a number or a date, and NULL, None and the like for what is
absent. A column that is not understood and not empty is named. A remark says what was
not taken as it stands, and names what looks like a slip: white space before or after a
credential, or one refresh token under two users. Such a row is moved all the same.

The source is never written, a new file or table is made only if a row is written to it, and
no imported row overwrites an earlier row of the same import. Afterwards every token is looked
up by each of its keys and compared. An import may be run again, also after an interruption: it
creates nothing twice. With --report, the report is also written to a new file when the import
ends, however it ends, so that the file is never half a report. With --json, "finished" says
whether the import came to its end, and "not_written" how many rows it did not reach. The exit
code is 4 if a row was refused or left to decide, a column was not understood, or a token is
not found again.`,
		Example: `  {name} import {local} --to {service} --dry-run
  {name} import {local} --to {service}
  {name} import {local} --to {service} --update
  {name} import {service} --to {local} --json --report report.json
  {name} copy {local} --to {service} --user '*@zylker.com:*'`,
		Args: exactArgs("SOURCE"),

		ValidArgsFunction: completeStore,
		RunE: func(command *cobra.Command, args []string) error {
			if to == "" {
				return &usageError{errors.New("--to is missing; name the store that the tokens go to")}
			}
			if options.Overwrite && options.Update {
				return &usageError{errors.New("give one of --update and --overwrite")}
			}
			if user != "" {
				options.User = func(name string) bool { return like(user, name) }
			}
			return withReport(command, report, func(file io.Writer) error {
				return runImport(command, args[0], to, options, file)
			})
		},
	}
	flags := command.Flags()
	flags.StringVar(&to, "to", "", "the `STORE` that the tokens go to")
	_ = command.RegisterFlagCompletionFunc("to", completeURL) // The flag exists.
	flags.BoolVar(&options.DryRun, "dry-run", false, "report what would become of each row, and write nothing")
	flags.BoolVar(&options.KeepIDs, "keep-ids", false, "give new tokens the IDs that they have in the source")
	flags.BoolVar(&options.Update, "update", false, "replace the values of a token that differs with the source's if its access token expires later there")
	flags.BoolVar(&options.Overwrite, "overwrite", false, "replace the values of a token that differs with the source's, whichever expires later")
	flags.StringVar(&options.Client, "client", "", "move only the rows of the client with this `ID`")
	flags.StringVar(&user, "user", "", "move only the rows of users that match this `PATTERN`, in which * stands for any characters and ? for one")
	flags.StringVar(&report, "report", "", "also write the report to this new `FILE`; with --json, as JSON")
	flags.StringArrayVar(&options.Ignore, "ignore-column", nil, "leave a column with this `NAME` behind without a word; may be repeated")
	return command
}

// runImport imports, and prints the report, also to a file if that is not nil.
func runImport(command *cobra.Command, source, to string, options importer.Options, file io.Writer) error {
	ctx := command.Context()
	return withStore(ctx, readOnly(source), func(from tokenstore.OpenStore) error {
		if err := notSame(ctx, from, source, to); err != nil {
			return err
		}
		return withDestination(ctx, to, options, func(destination tokenstore.OpenStore, options importer.Options) error {
			err := importInto(command, options, file, func(options importer.Options) (importer.Report, error) {
				return importer.Import(ctx, from, destination, options)
			})
			if errors.Is(err, importer.ErrNothingHere) {
				return &nothingError{source}
			}
			return err
		})
	})
}

// importInto runs an import with its progress and its report, which also goes to a file if
// that is not nil.
func importInto(command *cobra.Command, options importer.Options, file io.Writer, run func(importer.Options) (importer.Report, error)) error {
	asJSON, m := wantsJSON(command), newMeter(command, "rows")
	if !asJSON {
		options.Progress = m.progress
	}
	printers := []*importPrinter{{w: command.OutOrStdout(), asJSON: asJSON, clear: m.clear}}
	if file != nil {
		printers = append(printers, &importPrinter{w: file, asJSON: asJSON, clear: func() {}})
	}
	options.Rows = func(rows []importer.Row) error {
		for _, p := range printers {
			if err := p.rows(rows); err != nil {
				return err
			}
		}
		return nil
	}
	report, err := run(options)
	m.clear()
	if errors.Is(err, importer.ErrNothingHere) {
		return err
	}
	if report.Total() > 0 || err == nil {
		for _, p := range printers {
			if err := p.end(report, options, err == nil); err != nil {
				return err
			}
		}
	}
	if err == nil && !report.Complete() {
		err = &incompleteError{}
	}
	return err
}

// withDestination opens the destination of an import. One that does not exist yet counts as
// empty, and is created when the first row is written; a dry run does not create it.
func withDestination(ctx context.Context, to string, options importer.Options, do func(tokenstore.OpenStore, importer.Options) error) error {
	run := func(store tokenstore.OpenStore) error { return do(store, options) }
	if options.DryRun {
		err := withStore(ctx, readOnly(to), run)
		if errors.Is(err, fs.ErrNotExist) {
			return do(secretstore.NewMemory(), options)
		}
		return err
	}
	if reading := readOnly(to); reading != to {
		err := withStore(ctx, reading, func(tokenstore.OpenStore) error { return nil })
		if errors.Is(err, fs.ErrNotExist) {
			return creating(to, options, do)
		}
	}
	return withStore(ctx, to, run) // It reports what is wrong with it.
}

// creating runs an import into a store that does not exist yet.
func creating(to string, options importer.Options, do func(tokenstore.OpenStore, importer.Options) error) error {
	var created tokenstore.OpenStore
	options.Create = func(ctx context.Context) (_ tokenstore.Store, err error) {
		created, err = tokenstore.Open(ctx, to)
		return created, err
	}
	err := do(secretstore.NewMemory(), options)
	if created != nil {
		err = errors.Join(err, created.Close())
	}
	return err
}

// importOutcomes are the outcomes in the order of the summary.
var importOutcomes = []importer.Outcome{
	importer.Created, importer.Updated, importer.Present, importer.Folded, importer.Undecided, importer.Refused, importer.NotWritten,
}

// importPrinter prints the report of an import, of which it holds a block of rows.
type importPrinter struct {
	w      io.Writer
	asJSON bool
	clear  func() // called before something is printed
	table  *table
	list   *jsonList
	block  []importer.Row
}

// rows prints rows as soon as there are many.
func (p *importPrinter) rows(some []importer.Row) error {
	p.block = append(p.block, some...)
	if len(p.block) < blockRows {
		return nil
	}
	return p.flush()
}

// flush prints the rows that are held, in the order of the source.
func (p *importPrinter) flush() error {
	p.clear()
	slices.SortStableFunc(p.block, func(a, b importer.Row) int {
		return cmp.Or(cmp.Compare(btoi(a.Number == 0), btoi(b.Number == 0)), cmp.Compare(a.Number, b.Number))
	})
	defer func() { p.block = nil }()
	if p.asJSON {
		if p.list == nil {
			if _, err := io.WriteString(p.w, "{\n  \"rows\": "); err != nil {
				return err
			}
			p.list = &jsonList{w: p.w, indent: "  "}
		}
		for _, row := range p.block {
			if err := p.list.add(row); err != nil {
				return err
			}
		}
		return nil
	}
	if p.table == nil {
		p.table = newTable(p.w, "ROW", "SOURCE ID", "USER", "OUTCOME", "ID", "REMARK")
	}
	for _, row := range p.block {
		number := ""
		if row.Number > 0 {
			number = fmt.Sprint(row.Number)
		}
		p.table.row(number, row.SourceID, row.User, string(row.Outcome), row.ID, remark(row))
	}
	return nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// end prints what is left of the report.
func (p *importPrinter) end(report importer.Report, options importer.Options, ended bool) error {
	if err := p.flush(); err != nil {
		return err
	}
	if p.asJSON {
		return p.endJSON(report, options, ended)
	}
	for _, lost := range report.Lost {
		p.table.row(fmt.Sprint(lost.Number), "", "", "LOST", "", "by "+lost.Key+": "+lost.Reason)
	}
	if err := p.table.flush(); err != nil {
		return err
	}
	return printSummary(p.w, report, options, ended)
}

func (p *importPrinter) endJSON(report importer.Report, options importer.Options, ended bool) error {
	if err := p.list.end(); err != nil {
		return err
	}
	rest, err := indented(struct {
		Finds   int                `json:"finds"`
		Lost    []importer.Lost    `json:"lost"`
		Remarks []string           `json:"remarks"`
		Unknown []rowstore.Unknown `json:"unknown_columns"`
		// NotWritten counts the rows that the import did not reach, too, which are not
		// among the rows.
		NotWritten int  `json:"not_written"`
		DryRun     bool `json:"dry_run"`
		// Finished is false if the import ended before every token was looked up again.
		Finished bool `json:"finished"`
	}{report.Finds, report.Lost, report.Remarks, report.Unknown, report.Count(importer.NotWritten), options.DryRun, ended}, "")
	if err != nil {
		return err
	}
	_, err = io.WriteString(p.w, ","+strings.TrimPrefix(rest, "{")+"\n")
	return err
}

// remark joins what a row of the report says beside its outcome.
func remark(row importer.Row) string {
	all := row.Warnings
	if row.Reason != "" {
		all = append([]string{row.Reason}, all...)
	}
	return strings.Join(all, "; ")
}

func printSummary(w io.Writer, report importer.Report, options importer.Options, ended bool) error {
	rows := "rows"
	if report.Total() == 1 {
		rows = "row"
	}
	summary := fmt.Sprintf("%d %s:", report.Total(), rows)
	for _, o := range importOutcomes {
		if n := report.Count(o); n > 0 {
			summary += fmt.Sprintf(" %d %s,", n, o)
		}
	}
	summary = summary[:len(summary)-1]
	switch {
	case options.DryRun:
		summary += " (dry run: nothing was written)"
	case !ended:
		summary += "\nthe import ended before every token was looked up again; run it again"
	default:
		summary += fmt.Sprintf("\n%d finds by every key of every token: %d as moved, %d not", report.Finds, report.Finds-len(report.Lost), len(report.Lost))
	}
	for _, r := range report.Remarks {
		summary += "\n" + r
	}
	for _, u := range report.Unknown {
		summary += "\n" + unknownColumn(u)
	}
	_, err := fmt.Fprintln(w, "\n"+wrapLines(w, summary))
	return err
}

// unknownColumn says what became of a column that is not understood.
func unknownColumn(u rowstore.Unknown) string {
	name := printable(u.Name)
	if u.As != "" {
		return fmt.Sprintf("column %s is not understood; by its place it was taken for %s, in rows: %d; rename it, or pass --ignore-column if that is right",
			name, u.As, u.Rows)
	}
	return fmt.Sprintf("column %s is not understood and was left behind, in rows: %d; rename it, or pass --ignore-column if it is not needed", name, u.Rows)
}
