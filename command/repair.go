// The commands that look at a store for what a person should see to, and repair an
// index: check and reindex.

package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
	"example.com/tokenstore/secretstore"
	"github.com/spf13/cobra"
)

// repairable is a store over a secret manager, which has an index to look at.
type repairable interface {
	Check(ctx context.Context) (secretstore.Report, error)
	Reindex(ctx context.Context, options secretstore.ReindexOptions) (secretstore.Report, error)
}

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check STORE",
		Short: "Report what is wrong with a store, and how near its index is to its limits",
		Long: `Check reads every token of a store and, in a secret manager, its index, and changes
nothing. The exit code is 4 if there is something to repair or to put right, or if the
index has used three quarters of what the service allows.

A hint is an entry of the index: a key, and the ID of the token that may have it.
Crashes and edits in the service's console leave hints without a token; one that
is younger than a day may belong to a save that is still running. A tombstone is what
a deleted token leaves for a day. Foreign secrets are under the store's prefix but not
part of the store.

Of a file or a database, check names the rows that cannot be read, and what looks like
a slip: an expiry that cannot be understood, white space around a credential, and a file
that other users of this machine may read or write.`,
		Example: "  {name} check {service}\n  {name} check {local}",
		Args:    exactArgs("STORE"),

		ValidArgsFunction: completeStore,
		RunE: func(command *cobra.Command, args []string) error {
			return withStore(command.Context(), readOnly(args[0]), func(store tokenstore.OpenStore) error {
				nothing := ifNothing(command.Context(), store, args[0])
				r, ok := tokenstore.As[repairable](store)
				if !ok {
					return cmp.Or(nothing, checkRows(command, store))
				}
				return cmp.Or(nothing, repair(command, r, func(store repairable) (secretstore.Report, error) {
					return store.Check(command.Context())
				}))
			})
		},
	}
}

func reindexCommand() *cobra.Command {
	var options secretstore.ReindexOptions
	command := &cobra.Command{
		Use:   "reindex STORE",
		Short: "Repair the index: add missing keys, remove what crashes and edits left",
		Long: `Reindex repairs the index of a store in a secret manager while the store is in use:
it adds keys that are missing, for example after somebody changed a token in the
service's console, and removes what crashes left once that is old enough. Secrets that
cannot be read are named and left alone; the exit code is then 4.

With --rotating, the index of a store on AWS or GCP stops keeping the refresh tokens of
tokens that have a user, for providers that replace them with every refresh: that then
does not write the index, which such a service allows only some 90 times a day. All
programs follow at once. A find by a refresh token that a program has not seen before, and
a save of a token without a user, then read tokens until they have found it. It cannot be
turned off again. Put rotating=true into the programs' URLs too, for the case that the
index is lost.

If programs open the store with a pepper, give it here too: pepper_file=PATH in the
URL. Tokens stored under another pepper, or without one, are left alone unless
--change-pepper is set. If programs set a form of index other than the adapter's
default, repair it from such a program (secretstore.Store.Reindex).`,
		Example: "  {name} reindex {service} --dry-run\n  {name} reindex {service} --fanout 16\n  {name} reindex {service} --rotating",
		Args:    exactArgs("STORE"),

		ValidArgsFunction: completeStore,
		RunE: func(command *cobra.Command, args []string) error {
			if command.Flags().Changed("rotating") && !options.Rotating {
				return &usageError{errors.New("--rotating cannot be turned off: a program that has not noticed yet would leave a refresh token out of an index that must have it; " +
					"to go back, import the store into a new one under another prefix")}
			}
			return withRepairable(command, args[0], func(store repairable) (secretstore.Report, error) {
				report, err := store.Reindex(command.Context(), options)
				if err == nil && options.DryRun && options.Rotating {
					_, _ = fmt.Fprintln(command.ErrOrStderr(), command.Root().Name()+": dry run: the index would leave out the refresh tokens of tokens with a user")
				}
				if err == nil && options.DryRun && options.Fanout > 0 {
					_, _ = fmt.Fprintf(command.ErrOrStderr(), "%s: dry run: the index would be spread over %d documents\n", command.Root().Name(), options.Fanout)
				}
				return report, err
			})
		},
	}
	command.Flags().BoolVar(&options.DryRun, "dry-run", false, "report what would be done, and do nothing")
	command.Flags().BoolVar(&options.ChangePepper, "change-pepper", false, "index tokens that were stored under another pepper, or without one")
	command.Flags().BoolVar(&options.Rotating, "rotating", false, "leave refresh tokens of tokens with a user out of the index; cannot be undone")
	command.Flags().IntVar(&options.Fanout, "fanout", 0, "spread a document index over `N` documents")
	return command
}

func withRepairable(command *cobra.Command, url string, do func(repairable) (secretstore.Report, error)) error {
	// Only stores without an index can be opened for reading only, and those are
	// refused here, without having created a file.
	return withStore(command.Context(), readOnly(url), func(store tokenstore.OpenStore) error {
		r, ok := tokenstore.As[repairable](store)
		if !ok {
			return &usageError{errors.New("this store has no index to repair; only stores in secret managers have one")}
		}
		if err := ifNothing(command.Context(), store, url); err != nil {
			return err
		}
		return repair(command, r, do)
	})
}

// repair runs a check or a repair, and prints its report.
func repair(command *cobra.Command, r repairable, do func(repairable) (secretstore.Report, error)) error {
	report, err := do(r)
	broken := errors.Is(err, tokenstore.ErrUnreadable) // Secrets of the index: the report is of all others.
	if err != nil && !broken {
		return err
	}
	if err := printReport(command, report); err != nil {
		return err
	}
	if broken {
		_, _ = fmt.Fprintln(command.ErrOrStderr(), command.Root().Name()+":", err)
	}
	checking := command.Name() == "check"
	toRepair := report.KeysAdded+report.HintsRemoved+report.TombstonesSwept+report.IndexSwept > 0
	if broken || len(report.Unreadable)+report.OtherPepper > 0 || checking && (toRepair || len(report.Warnings) > 0) {
		return &incompleteError{}
	}
	return nil
}

// jsonReport is a secretstore.Report as it is printed.
type jsonReport struct {
	Tokens          int        `json:"tokens"`
	Tombstones      int        `json:"tombstones"`
	Foreign         int        `json:"foreign"`
	Unreadable      []string   `json:"unreadable"`
	Warnings        []string   `json:"warnings"`
	OtherPepper     int        `json:"other_pepper"`
	KeysAdded       int        `json:"keys_added"`
	HintsRemoved    int        `json:"hints_removed"`
	HintsYoung      int        `json:"hints_young"`
	TombstonesSwept int        `json:"tombstones_swept"`
	IndexSwept      int        `json:"index_swept"`
	VersionsPruned  int        `json:"versions_pruned"`
	Index           []jsonStat `json:"index"`
}

// jsonStat is an index.Stat as it is printed.
type jsonStat struct {
	Name        string `json:"name"`
	Keys        int    `json:"keys"`
	Hints       int    `json:"hints"`
	Size        int    `json:"size"`
	MaxSize     int    `json:"max_size"`
	WritesToday int    `json:"writes_today"`
	MaxWrites   int    `json:"max_writes"`
	Lacking     bool   `json:"lacking,omitempty"`
}

func newJSONReport(r secretstore.Report) jsonReport {
	stats := []jsonStat{}
	for _, s := range r.Index {
		stats = append(stats, jsonStat(s))
	}
	return jsonReport{
		Tokens: r.Tokens, Tombstones: r.Tombstones, Foreign: r.Foreign, Unreadable: append([]string{}, r.Unreadable...), Warnings: append([]string{}, r.Warnings...), OtherPepper: r.OtherPepper,
		KeysAdded: r.KeysAdded, HintsRemoved: r.HintsRemoved, HintsYoung: r.HintsYoung,
		TombstonesSwept: r.TombstonesSwept, IndexSwept: r.IndexSwept, VersionsPruned: r.VersionsPruned, Index: stats,
	}
}

func printReport(command *cobra.Command, r secretstore.Report) error {
	w := command.OutOrStdout()
	if asJSON, _ := command.Flags().GetBool("json"); asJSON {
		return printJSON(w, newJSONReport(r))
	}
	t := newTable(w, "WHAT", "COUNT", "REMARK")
	count := func(what string, n int, remark string) { t.row(what, fmt.Sprint(n), remark) }
	count("tokens", r.Tokens, "")
	count("foreign secrets", r.Foreign, "left alone")
	count("unreadable secrets", len(r.Unreadable), strings.Join(r.Unreadable, " "))
	if len(r.Warnings) > 0 {
		count("warnings", len(r.Warnings), "listed below")
	}
	if r.OtherPepper > 0 {
		count("tokens under another pepper", r.OtherPepper, "left alone; give their pepper (pepper_file=PATH in the URL), or reindex --change-pepper")
	}
	count("keys missing in the index", r.KeysAdded, "added by a reindex")
	count("old hints without a token", r.HintsRemoved, "removed by a reindex")
	count("young hints without a token", r.HintsYoung, "may belong to a save that is still running")
	count("young tombstones", r.Tombstones, "")
	count("old tombstones", r.TombstonesSwept, "removed by a reindex")
	count("leftovers of the index", r.IndexSwept, "removed by a reindex")
	count("older versions", r.VersionsPruned, "destroyed by a reindex where they cost money; not counted by a check")
	if err := t.flush(); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w)
	t = newTable(w, "INDEX", "KEYS", "HINTS", "BYTES", "LIMIT", "WRITES/24H", "LIMIT")
	shown, others := fullest(r.Index)
	for _, s := range shown {
		t.row(s.Name, fmt.Sprint(s.Keys), fmt.Sprint(s.Hints), fmt.Sprint(s.Size), limit(s.MaxSize), fmt.Sprint(s.WritesToday), limit(s.MaxWrites))
	}
	if n := len(r.Index) - len(shown); n > 0 {
		t.row(fmt.Sprintf("%d others, less full", n), fmt.Sprint(others.Keys), fmt.Sprint(others.Hints), fmt.Sprint(others.Size), "", fmt.Sprint(others.WritesToday), "")
	}
	if err := t.flush(); err != nil {
		return err
	}
	if len(r.Warnings) == 0 {
		return nil
	}
	_, err := fmt.Fprintln(w, "\n"+wrapLines(w, printableLines(r.Warnings)))
	return err
}

// mostStats is how many secrets of an index are shown: one that has a secret for
// every key has thousands.
const mostStats = 20

// fullest returns those of an index's secrets that are nearest to a limit, and
// the sum of the others.
func fullest(stats []index.Stat) (shown []index.Stat, others index.Stat) {
	if len(stats) <= mostStats {
		return stats, others
	}
	stats = slices.Clone(stats)
	slices.SortStableFunc(stats, func(a, b index.Stat) int {
		return cmp.Or(cmp.Compare(fill(b), fill(a)), cmp.Compare(b.Size, a.Size))
	})
	for _, s := range stats[mostStats:] {
		others.Keys += s.Keys
		others.Hints += s.Hints
		others.Size += s.Size
		others.WritesToday += s.WritesToday
	}
	return stats[:mostStats], others
}

// fill is how much of a limit a secret of the index has reached, as a fraction.
func fill(s index.Stat) float64 {
	size, writes := 0.0, 0.0
	if s.MaxSize > 0 {
		size = float64(s.Size) / float64(s.MaxSize)
	}
	if s.MaxWrites > 0 {
		writes = float64(s.WritesToday) / float64(s.MaxWrites)
	}
	return max(size, writes)
}

func limit(n int) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprint(n)
}
