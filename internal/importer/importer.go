// Package importer moves tokens from one store into another, reports what became of
// each, and then checks that every one of them is found again. An import may be run
// again, also after an interruption: it creates nothing twice. It knows the stores by
// the contract alone.
package importer

import (
	"context"
	"fmt"

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
	// Updated: the destination had the token with other values, or lacked some,
	// and has those of the source now.
	Updated Outcome = "updated"
	// Folded: another row of the source is the same token, and is the one that was
	// moved, with what it lacked and this one has; or the destination has the token
	// with a newer access token. Nothing is given up but an older access token.
	Folded Outcome = "folded"
	// Undecided: the row was not moved, because that would give up what another row
	// or the destination has, and its own would be given up otherwise. Reason says
	// what helps.
	Undecided Outcome = "left to decide"
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
	// Update does so only where the source's access token expires later, and fills in
	// what the destination lacks.
	Update bool
	// Client, if set, is the client ID whose rows alone are moved. Rows without a
	// client are moved too: nothing says that they are another's.
	Client string
	// Ignore are columns of the source that are known to be of no use.
	Ignore []string
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
	// Remarks are about the source as a whole. They do not make it incomplete.
	Remarks []string `json:"remarks"`
	// Unknown are the columns of the source that are not understood for certain and
	// hold something.
	Unknown []rowstore.Unknown `json:"unknown_columns"`
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
// its values, and is found there, and no column was left behind.
func (r Report) Complete() bool {
	return r.Count(Refused)+r.Count(Undecided)+r.Count(NotWritten)+len(r.Lost)+len(r.Unknown) == 0
}

// Import moves all tokens of the source into the destination. The source is never
// written. An error means that the import did not finish: a store could not be read,
// nothing of a store is where the source looks, the destination took no row at all or
// stopped taking them, or the context ended. The report is true nevertheless.
func Import(ctx context.Context, source, destination tokenstore.Store, options Options) (Report, error) {
	rows, reading, err := read(ctx, source)
	if err != nil {
		return Report{}, fmt.Errorf("read the source: %w", err)
	}
	im := &importing{destination: destination, options: options}
	if err := im.begin(rows, reading); err != nil {
		return Report{}, err
	}
	if err := im.look(ctx); err != nil {
		return Report{}, err
	}
	for _, e := range rowstore.SplitErrors(reading.Unread) {
		im.report.Rows = append(im.report.Rows, Row{Outcome: Refused, Reason: e.Error()})
	}
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

// importing is an import that is running.
type importing struct {
	destination tokenstore.Store
	options     Options
	tokens      []tokenstore.OAuthToken // of the rows that can be read, as they are moved
	report      Report
	stored      []tokenstore.OAuthToken // what each row became, as far as it did
	saves       []tokenstore.OAuthToken // what is saved for each row that is to be written
	same        []int                   // the index of the row whose fate each row shares, or -1
	open        bool                    // the destination took a row, or refused one for what the row is
	shut        error                   // what it said first when it refused one for another reason
	last        string                  // the ID of a token that the destination has
}

// row returns a row as a reason names it.
func (im *importing) row(i int) string { return fmt.Sprintf("row %d", im.report.Rows[i].Number) }
