// Package importer moves tokens from one store into another, reports what became of
// each, and then checks that every one of them is found again. An import may be run
// again, also after an interruption: it creates nothing twice. It knows the stores by
// the contract alone.
package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// Outcome is what became of a row of the source.
type Outcome string

// The outcomes.
const (
	// Created: the destination had no such token, and has it now.
	Created Outcome = "created"
	// Present: the destination had the token with the same values, or has them
	// of an earlier row.
	Present Outcome = "already there"
	// Differs: the destination has the token with other values; they were left
	// alone. They may be those of an earlier row.
	Differs Outcome = "differs"
	// Overwritten: the destination had the token with other values, and has
	// those of the source now.
	Overwritten Outcome = "overwritten"
	// Folded: another row of the source is the same token, and is the one that
	// was moved, with what it lacked and this one has.
	Folded Outcome = "folded"
	// Refused: the row cannot be moved; Reason says why.
	Refused Outcome = "refused"
	// NotWritten: the import ended before the row was written. It may be run
	// again.
	NotWritten Outcome = "not written"
)

// Row is one row of the source and what became of it. It holds no credential.
type Row struct {
	// Number is the row's place among the source's readable rows, from 1; zero
	// for what the source could not read.
	Number int `json:"number,omitempty"`
	// SourceID and User are those of the row.
	SourceID string `json:"source_id,omitempty"`
	User     string `json:"user,omitempty"`
	// ID is the token's ID in the destination, if it has one there.
	ID string `json:"id,omitempty"`
	// Outcome is what became of the row.
	Outcome Outcome `json:"outcome"`
	// Reason says why, where the outcome alone does not.
	Reason string `json:"reason,omitempty"`
	// Warnings name what looks like a slip of somebody who edited the row. They
	// do not change the outcome.
	Warnings []string `json:"warnings,omitempty"`
}

// Options are the options of an import.
type Options struct {
	// DryRun looks and writes nothing.
	DryRun bool
	// KeepIDs gives new tokens the IDs that they have in the source.
	KeepIDs bool
	// Overwrite writes the source's values over those of a token that differs.
	Overwrite bool
	// Progress, if set, is called as rows are done.
	Progress func(done, total int)
}

// Report is the result of an import.
type Report struct {
	// Rows are the source's rows in their order, and behind them what it could
	// not read.
	Rows []Row `json:"rows"`
	// Finds is how many finds were made afterwards, one for each key of each
	// token, and Lost are those that did not find the token as it was moved.
	Finds int    `json:"finds"`
	Lost  []Lost `json:"lost"`
}

// Lost is a key by which a token was not found again.
type Lost struct {
	Number int    `json:"number"`
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

// Count returns how many rows have an outcome.
func (r Report) Count(o Outcome) int {
	n := 0
	for _, row := range r.Rows {
		if row.Outcome == o {
			n++
		}
	}
	return n
}

// Complete reports whether every row of the source is in the destination with
// its values, and is found there.
func (r Report) Complete() bool {
	return r.Count(Refused)+r.Count(Differs)+r.Count(NotWritten)+len(r.Lost) == 0
}

// Import moves all tokens of the source into the destination. The source is never
// written. An error means that the import did not finish: a store could not be read,
// nothing of a store is where the source looks, the destination took no row at all or
// stopped answering, or the context ended. What the report says happened nevertheless.
func Import(ctx context.Context, source, destination tokenstore.Store, options Options) (Report, error) {
	tokens, err := source.GetTokens(ctx)
	if err != nil && (tokens == nil || !errors.Is(err, tokenstore.ErrUnreadable)) {
		return Report{}, fmt.Errorf("read the source: %w", err)
	}
	if err := exists(ctx, source, len(tokens) > 0 || err != nil); err != nil {
		return Report{}, fmt.Errorf("read the source: %w", err)
	}
	warnings, warnErr := warningsOf(ctx, source)
	if warnErr != nil {
		return Report{}, fmt.Errorf("read the source: %w", warnErr)
	}
	im := &importing{destination: destination, options: options, tokens: tokens, report: Report{Rows: []Row{}, Lost: []Lost{}}}
	for i, t := range tokens {
		row := Row{Number: i + 1, SourceID: t.ID, User: t.UserName, Warnings: rowstore.Warnings(t, false)}
		for _, w := range warnings[t.ID] {
			if !slices.Contains(row.Warnings, w) {
				row.Warnings = append(row.Warnings, w)
			}
		}
		im.report.Rows = append(im.report.Rows, row)
	}
	if err := im.look(ctx); err != nil {
		return Report{}, err
	}
	im.unread(err)
	if options.DryRun {
		return im.report, nil
	}
	err = im.write(ctx)
	im.settle()
	if err != nil {
		return im.report, err
	}
	return im.report, im.verify(ctx)
}

// ErrNothingHere says that nothing of a store is where the source looks.
var ErrNothingHere = errors.New("nothing of a store is here")

// exists returns ErrNothingHere if a source without tokens is no store at all: an
// import from a wrong place must not look like one that has moved everything.
func exists(ctx context.Context, source tokenstore.Store, hasRows bool) error {
	s, ok := source.(tokenstore.Exister)
	if !ok || hasRows {
		return nil
	}
	switch there, err := s.Exists(ctx); {
	case err != nil:
		return err
	case !there:
		return ErrNothingHere
	}
	return nil
}

// warningsOf returns what the source itself says is odd about its tokens.
func warningsOf(ctx context.Context, source tokenstore.Store) (map[string][]string, error) {
	if s, ok := source.(tokenstore.Warner); ok {
		return s.Warnings(ctx)
	}
	return nil, nil
}

// importing is an import that is running.
type importing struct {
	destination tokenstore.Store
	options     Options
	tokens      []tokenstore.OAuthToken
	report      Report
	stored      []tokenstore.OAuthToken // what each row became, as far as it did
	first       []int                   // the number of the row whose token each row is too, or 0
	open        bool                    // the destination took a row, or refused one for what the row is
	shut        error                   // what it said first when it refused one for another reason
}

// unread adds what the source could not read: a row of the report for each.
func (im *importing) unread(err error) {
	for _, e := range rowstore.SplitErrors(err) {
		im.report.Rows = append(im.report.Rows, Row{Outcome: Refused, Reason: e.Error()})
	}
}
