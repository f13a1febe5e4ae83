// Package importer moves tokens from one store into another, reports what became of
// each, and then checks that every one of them is found again. An import may be run
// again, also after an interruption: it creates nothing twice. It knows the stores by
// the contract alone.
package importer

import (
	"context"
	"errors"
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
	// User, if set, selects the users whose rows alone are moved.
	User func(user string) bool
	// Ignore are columns of the source that are known to be of no use.
	Ignore []string
	// Progress, if set, is called as rows are read and moved. While a store is read, the
	// total is not known, and 0.
	Progress func(stage Stage, done, total int)
	// Rows, if set, gets the rows of the report, a part at a time, which the report then
	// does not hold. An error ends the import.
	Rows func([]Row) error

	// Create, if set, is called before the first row is written, and returns the
	// destination. The one that Import gets is empty, and stands for it as long as it does
	// not exist, so that an import that writes nothing creates nothing.
	Create func(context.Context) (tokenstore.Store, error)

	heldRows, mostRows int // if not 0, they replace the constants of the same names, in tests
}

// Stage is what an import is doing.
type Stage string

// The stages.
const (
	ReadingSource      Stage = "reading the source"
	ReadingDestination Stage = "reading the destination"
	Moving             Stage = "importing"
)

// Report is the result of an import.
type Report struct {
	// Rows are the source's rows, and behind them what it could not read. Rows that the
	// import did not reach before it ended are only counted. The rows are in the order of
	// the source but for those that are one token, or have a key in common: these are
	// with the last of them, if there are more than a few thousand rows.
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

	counts map[Outcome]int
}

// Lost is a key by which a token was not found again.
type Lost struct {
	Number int    `json:"number"`
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

// Count returns how many rows have an outcome.
func (r Report) Count(o Outcome) int { return r.counts[o] }

// Total returns how many rows there are, and how many of them the import did not reach.
func (r Report) Total() (rows int) {
	for _, n := range r.counts {
		rows += n
	}
	return rows
}

// Complete reports whether every row of the source is in the destination with
// its values, and is found there, and no column was left behind.
func (r Report) Complete() bool {
	return r.Count(Refused)+r.Count(Undecided)+r.Count(NotWritten)+len(r.Lost)+len(r.Unknown) == 0
}

// Import moves all tokens of the source into the destination, some thousand at a time. It
// reads the source twice: first to learn which rows and tokens have a key in common, of
// which it holds the hashes, and then to move them. A source of a few thousand rows is
// held, and read once. The source is never written. An error means that the import did not
// finish: a store could not be read, nothing of a store is where the source looks, the
// destination took no row at all or stopped taking them, or the context ended. The report
// is true nevertheless.
func Import(ctx context.Context, source, destination tokenstore.Store, options Options) (Report, error) {
	reading, err := read(ctx, source)
	if err != nil {
		return Report{}, fmt.Errorf("read the source: %w", err)
	}
	return importRows(ctx, source, reading, destination, options)
}

// ImportRows is Import of rows that are in no store.
func ImportRows(ctx context.Context, reading rowstore.Reading, destination tokenstore.Store, options Options) (Report, error) {
	return importRows(ctx, nil, reading, destination, options)
}

func importRows(ctx context.Context, source tokenstore.Store, reading rowstore.Reading, destination tokenstore.Store, options Options) (Report, error) {
	im := &importing{destination: destination, options: options}
	im.report = Report{Rows: []Row{}, Lost: []Lost{}, Remarks: []string{}, Unknown: []rowstore.Unknown{}, counts: map[Outcome]int{}}
	s, err := im.survey(ctx, source, reading)
	if err != nil {
		return Report{}, err
	}
	err = im.move(ctx, reading, s)
	if fault := (*createError)(nil); errors.As(err, &fault) && len(im.report.counts) == 0 {
		return Report{}, fault.err // It has not begun.
	}
	if missed := im.total - im.done - s.gone; missed > 0 {
		im.report.counts[NotWritten] += missed
	}
	if fault := im.emit(s.unread); err == nil {
		err = fault
	}
	return im.report, err
}

// importing is an import that is running.
type importing struct {
	destination tokenstore.Store
	options     Options
	report      Report
	total, done int    // rows
	open        bool   // the destination took a row, or refused one for what the row is
	shut        error  // what it said first when it refused one for another reason
	shuts       int    // how many rows in a row it has refused so
	last        string // the ID of a token that the destination has
}

// progress reports how far the import is.
func (im *importing) progress(stage Stage, done, total int) {
	if im.options.Progress != nil {
		im.options.Progress(stage, done, total)
	}
}

// emit adds rows whose outcomes are final to the report.
func (im *importing) emit(rows []Row) error {
	for _, row := range rows {
		im.report.counts[row.Outcome]++
	}
	if im.options.Rows != nil {
		return im.options.Rows(rows)
	}
	im.report.Rows = append(im.report.Rows, rows...)
	return nil
}

func (im *importing) remark(format string, args ...any) {
	im.report.Remarks = append(im.report.Remarks, fmt.Sprintf(format, args...))
}
