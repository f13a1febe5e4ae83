// The verb that looks for all that can be wrong with a store, names the repair of each, and
// does those that are safe.

package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
	"github.com/spf13/cobra"
)

// The outcomes of a repair, beside those of other verbs.
const (
	outcomeMended    = "mended"
	outcomeStays     = "stays"
	outcomeWouldMend = "would be mended"
	outcomeUnknown   = "interrupted"
)

func (c Command) doctorCommand() *cobra.Command {
	var d doctor
	role := string(tokenstore.RoleOperator)
	verb := &cobra.Command{
		Use:   "doctor STORE",
		Short: "Find what is wrong with a store, and how to put each thing right",
		Long: `Doctor looks for what is wrong with a store and what is beneath it: permissions, clocks,
settings of the service, limits, the index, damaged and foreign secrets, slips in a credential,
the modes of files, the state of a database. It names each finding with its repair, and prints
nothing if there is none.

It changes no token. To try the permissions of a role that writes, it creates, replaces and
deletes a secret of its own, PREFIX/doctor/probe, which no list of tokens has. With --role, it
looks with the eyes of a reader, a writer or an operator, the default.

With --repair, it does the repairs that are safe: it repairs the index, takes white space off
credentials by compare-and-swap, closes files to other users, and removes what writers that
were killed have left. Then it looks again, and says what stays, for a person to decide.

The exit code is 4 if there is a warning or an error, and 1 if the store failed. A note does
not change it.`,
		Example: "  {name} doctor {service}\n  {name} doctor {service} --role reader --json\n  {name} doctor {local} --repair --dry-run\n  {name} doctor {service} --repair --yes",
		Args:    exactArgs("STORE"),

		ValidArgsFunction: completeStore,
		RunE: func(verb *cobra.Command, args []string) error {
			d.role, d.url = tokenstore.Role(role), args[0]
			if !slices.Contains(tokenstore.Roles(), d.role) {
				return &usageError{errors.New("--role is reader, writer or operator")}
			}
			if !d.repair && (verb.Flags().Changed("yes") || verb.Flags().Changed("dry-run")) {
				return &usageError{errors.New("--yes and --dry-run are for --repair")}
			}
			if d.repair {
				if err := d.consent.canAsk(verb); err != nil {
					return err
				}
			}
			return d.run(verb)
		},
	}
	verb.Flags().StringVar(&role, "role", role, "look for what a `ROLE` needs: reader, writer or operator")
	verb.Flags().BoolVar(&d.repair, "repair", false, "do the repairs that are safe")
	_ = verb.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roles(), cobra.ShellCompDirectiveNoFileComp)) // The flag exists.
	d.consent.flags(verb)
	return verb
}

// doctor is one run.
type doctor struct {
	repair  bool
	role    tokenstore.Role
	url     string
	consent consent
	report  doctorReport
}

// doctorReport is what is printed. Nothing in it is a credential.
type doctorReport struct {
	// Repair says that --repair was given, and DryRun that it was to change nothing.
	Repair   bool      `json:"repair"`
	DryRun   bool      `json:"dry_run"`
	Findings []finding `json:"findings"`
}

// finding is a finding as it is printed.
type finding struct {
	Code     string              `json:"code"`
	Severity tokenstore.Severity `json:"severity"`
	Where    string              `json:"where,omitempty"`
	What     string              `json:"what"`
	Repair   string              `json:"repair"`
	Mends    bool                `json:"mends"`
	Outcome  string              `json:"outcome,omitempty"`
	Reason   string              `json:"reason,omitempty"`
	fault    error
}

// run looks at the store, which it opens for reading only, and repairs it if that is wanted.
func (d *doctor) run(verb *cobra.Command) error {
	ctx := verb.Context()
	var found []tokenstore.Finding
	err := withStore(ctx, readOnly(d.url), func(store tokenstore.OpenStore) error {
		if err := ifNothing(ctx, store, d.url); err != nil {
			return err
		}
		var err error
		found, err = examine(ctx, store, d.role)
		return err
	})
	if err != nil {
		return err
	}
	d.report = doctorReport{Repair: d.repair, DryRun: d.consent.dryRun, Findings: d.shown(verb, found)}
	if d.repair {
		err := d.mend(verb, found)
		if err != nil && ctx.Err() != nil {
			return errors.Join(err, d.print(verb))
		}
		if err != nil {
			return err
		}
	}
	if err := d.print(verb); err != nil {
		return err
	}
	return d.end()
}

// mend does the repairs that are safe, and looks again.
func (d *doctor) mend(verb *cobra.Command, found []tokenstore.Finding) error {
	ctx, before := verb.Context(), d.report.Findings
	safe := safeOnes(before)
	if safe == 0 {
		return nil
	}
	if d.consent.dryRun {
		for i := range before {
			if before[i].Mends {
				before[i].Outcome = outcomeWouldMend
			}
		}
		return nil
	}
	if !d.consent.yes {
		_, _ = io.WriteString(verb.ErrOrStderr(), list(before)) // The question follows.
	}
	if err := d.consent.ask(verb, fmt.Sprintf("%d of %s can be repaired now.", safe, count(len(found), "finding"))); err != nil {
		return err
	}
	return withStore(ctx, d.url, func(store tokenstore.OpenStore) error {
		reasons, err := trimCredentials(ctx, store, found)
		if err == nil {
			if mender, ok := tokenstore.As[tokenstore.Diagnoser](store); ok {
				err = mender.Mend(ctx, slices.DeleteFunc(slices.Clone(found), func(f tokenstore.Finding) bool { return f.Code == tokenstore.CodeWhiteSpace }))
			}
		}
		if ctx.Err() != nil {
			d.interrupted(reasons)
			return ctx.Err()
		}
		after, lookErr := examine(ctx, store, d.role)
		if lookErr != nil {
			return errors.Join(err, lookErr)
		}
		d.compare(d.shown(verb, after), reasons, err)
		return nil
	})
}

// interrupted says of each finding that can be mended whether that is known to have happened.
func (d *doctor) interrupted(reasons map[string]string) {
	for i, f := range d.report.Findings {
		if reason, tried := reasons[f.Where]; tried && reason == "" && f.Code == tokenstore.CodeWhiteSpace {
			d.report.Findings[i].Outcome = outcomeMended
		} else if f.Mends {
			d.report.Findings[i].Outcome, d.report.Findings[i].Reason = outcomeUnknown, "interrupted; run the command again"
		}
	}
}

// compare says of each finding whether it is gone, and adds those that are new.
func (d *doctor) compare(after []finding, reasons map[string]string, fault error) {
	before := d.report.Findings
	same := func(f finding) func(finding) bool {
		return func(g finding) bool { return g.Code == f.Code && (g.Where == f.Where || !f.each()) }
	}
	for i, f := range before {
		switch {
		case !slices.ContainsFunc(after, same(f)):
			before[i].Outcome = outcomeMended
		case f.Mends:
			before[i].Outcome, before[i].Mends, before[i].Reason = outcomeStays, false, reasons[f.Where]
			if before[i].Reason == "" && fault != nil {
				before[i].Reason = fault.Error()
			}
		default:
			before[i].Outcome = outcomeStays
		}
	}
	for _, f := range after {
		if !slices.ContainsFunc(before, same(f)) {
			f.Outcome = outcomeStays
			before = append(before, f)
		}
	}
	d.report.Findings = before
}

// each reports whether a finding is about one token or secret, and so may be there several
// times.
func (f finding) each() bool { return f.Code != secretstore.CodeKeyMissing }

// end returns the error of a store about which a person has to decide.
func (d *doctor) end() error {
	var faults []error
	left := false
	for _, f := range d.report.Findings {
		if f.Outcome == outcomeMended || f.Severity == tokenstore.SeverityNote {
			continue
		}
		left = true
		if f.fault != nil && f.Severity == tokenstore.SeverityError && !errors.Is(f.fault, tokenstore.ErrDenied) && !errors.Is(f.fault, tokenstore.ErrUnreadable) {
			faults = append(faults, f.fault)
		}
	}
	switch {
	case len(faults) > 0:
		return errors.Join(faults...)
	case left:
		return &incompleteError{}
	}
	return nil
}

// examine returns all that is wrong with a store, the worst first.
func examine(ctx context.Context, store tokenstore.Store, role tokenstore.Role) ([]tokenstore.Finding, error) {
	var all []tokenstore.Finding
	diagnoser, diagnoses := tokenstore.As[tokenstore.Diagnoser](store)
	if diagnoses {
		found, err := diagnoser.Diagnose(ctx, role)
		if err != nil {
			return nil, err
		}
		all = found
	}
	if _, indexed := tokenstore.As[repairable](store); !indexed || !diagnoses { // Else the diagnosis has read every token.
		found, err := slips(ctx, store, diagnoses)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	_, swaps := tokenstore.As[tokenstore.Swapper](store)
	for i := range all {
		all[i].Mends = all[i].Mends || swaps && all[i].Code == tokenstore.CodeWhiteSpace
	}
	slices.SortStableFunc(all, func(a, b tokenstore.Finding) int { return cmp.Compare(rank(a.Severity), rank(b.Severity)) })
	return all, nil
}

// rank is less for what is worse.
func rank(s tokenstore.Severity) int {
	return slices.Index([]tokenstore.Severity{tokenstore.SeverityError, tokenstore.SeverityWarning, tokenstore.SeverityNote}, s)
}
