// The findings of a diagnosis: what is wrong, and how it is put right. Their codes are for
// ever, since scripts go by them.

package secretstore

import (
	"errors"
	"fmt"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
)

// The codes of the findings of a Store, beside those of package tokenstore.
const (
	CodeTokenDamaged    = "token-damaged"
	CodeTokenDenied     = "token-denied"
	CodeTokenUnreadable = "token-unreadable"
	CodeTokenScheduled  = "token-scheduled"
	CodeTokenForeign    = "foreign-secret"
	CodeTokenPepper     = "other-pepper"
	CodeKeyMissing      = "key-missing" // tokens with keys that are not in the index
	CodeHintLeft        = "hint-left"
	CodeTombstoneLeft   = "tombstone-left"
	CodeIndexLeft       = "index-left"
	CodeIndexBroken     = "index-broken"
	CodeIndexRolledBack = "index-rolled-back"
	CodeIndexRotations  = "index-rotations"
	CodeIndexOtherForm  = "index-other-form"
	CodeIndexFull       = "index-full"
	CodeIndexUnchecked  = "index-unchecked"
	CodeServiceSetting  = "service-setting"
	CodeCheckFailed     = "check-failed"
	CodeProbeFailed     = "probe-failed"
	CodeProbeUntried    = "probe-untried"
	CodeProbeLeft       = "probe-left"
	CodeClockSkew       = "clock-skew"
	// A permission that was refused has the code denied- and one of read, create, update,
	// list and delete.
	codeDenied = "denied-"
)

const reindexCommand = "{name} reindex {store}"

// commandFor returns a command line about a token, by its ID if that may be shown.
func commandFor(verb string, r *row) string {
	id := r.id
	if shownID(id) != id {
		id = "ID"
	}
	return "{name} " + verb + " {store} " + id
}

// fieldFinding returns the finding for a warning of tokenstore.FieldWarnings.
func fieldFinding(r *row, warning string) tokenstore.Finding {
	f := tokenstore.SlipFinding(shownID(r.id), warning)
	if f.Code == tokenstore.CodeExpiryUnknown {
		f.Repair = commandFor("refresh", r)
	}
	return f
}

// barredFinding returns the finding for a row of the store without a usable token.
func barredFinding(r *row) tokenstore.Finding {
	f := tokenstore.Finding{Severity: tokenstore.SeverityWarning, Where: shownID(r.id), What: r.err.Error(), Err: r.err}
	switch {
	case r.state == damaged:
		f.Code, f.Repair = CodeTokenDamaged, "put its content back in the service's console, or run "+commandFor("delete", r)
	case errors.Is(r.err, tokenstore.ErrDenied):
		f.Code, f.Repair = CodeTokenDenied, "grant the role this secret, and the key with which it is encrypted"
	default:
		f.Code, f.Repair = CodeTokenUnreadable, "use the release that wrote it, or put its content back in the service's console"
	}
	return f
}

// scheduledFinding returns the finding for a token that was deleted outside of the store, which
// may be what a person wants. Its entries in the index are removed by a later repair, and its
// secret by the service. One whose deletion by the store was interrupted, or that was damaged,
// looks the same.
func scheduledFinding(r *row) tokenstore.Finding {
	return tokenstore.Finding{
		Code: CodeTokenScheduled, Severity: tokenstore.SeverityNote, Where: shownID(r.id),
		What:   "the index has its keys, and its secret is scheduled for deletion: somebody has deleted it in the service's console, a deletion was interrupted, or it was damaged when it was deleted",
		Repair: commandFor("undelete", r) + ", or do nothing if it should stay deleted: a reindex a day later removes its keys",
	}
}

func foreignFinding(r *row, name string) tokenstore.Finding {
	return tokenstore.Finding{
		Code: CodeTokenForeign, Severity: tokenstore.SeverityNote, Where: name, What: "this secret lies among the tokens and is not the store's; it is left alone",
		Repair: "move it to another prefix in the service's console",
	}
}

// findings returns the findings of a check.
func (r *repair) findings() []tokenstore.Finding {
	all := r.report.Findings
	counted := func(code string, n int, what string) {
		if n > 0 {
			all = append(all, tokenstore.Finding{Code: code, Severity: tokenstore.SeverityWarning, What: fmt.Sprintf("%s: %d", what, n), Repair: reindexCommand, Mends: true})
		}
	}
	counted(CodeKeyMissing, r.report.KeysAdded, "keys that are not in the index, by which finds may miss their tokens")
	if last := len(all) - 1; len(r.lacking) > 0 && all[last].Code == CodeKeyMissing {
		all[last].Where = shownID(r.lacking[0])
		if n := len(r.lacking) - 1; n > 0 {
			all[last].Where += fmt.Sprintf(" and %d others", n)
		}
	}
	counted(CodeHintLeft, r.report.HintsRemoved, "old entries of the index that lead to no token")
	counted(CodeTombstoneLeft, r.report.TombstonesSwept, "deleted tokens that are remembered for longer than is needed")
	counted(CodeIndexLeft, r.report.IndexSwept, "secrets that the index has left behind when it grew")
	if n := r.report.OtherPepper; n > 0 {
		all = append(all, tokenstore.Finding{
			Code: CodeTokenPepper, Severity: tokenstore.SeverityWarning, What: fmt.Sprintf("tokens that were stored under another pepper, or without one: %d", n),
			Repair: "give their pepper with pepper_file=PATH in the URL or, if this pepper is to be theirs, run " + reindexCommand + " --change-pepper",
		})
	}
	return append(all, r.s.crowded(r.report.Index)...)
}

// crowdedPercent is how much of a limit of the index may be used before it is a finding: a
// document index grows when its next write meets that.
const crowdedPercent = 75

// crowded returns the findings for secrets of the index that are near the service's limits.
func (s *Store) crowded(stats []index.Stat) []tokenstore.Finding {
	var all []tokenstore.Finding
	for _, stat := range stats {
		var near []string
		for _, limit := range []struct {
			used, most int
			unit       string
		}{{stat.Size, stat.MaxSize, "bytes"}, {stat.WritesToday, stat.MaxWrites, "writes in 24 hours"}} {
			if limit.most > 0 && limit.used*100 >= limit.most*crowdedPercent {
				near = append(near, fmt.Sprintf("%d of %d %s", limit.used, limit.most, limit.unit))
			}
		}
		if len(near) == 0 {
			continue
		}
		f := tokenstore.Finding{
			Code: CodeIndexFull, Severity: tokenstore.SeverityWarning, Where: stat.Name, What: "it has used " + strings.Join(near, " and ") + " that the service allows",
			Repair: "give tokens that share one refresh or grant token their own",
		}
		if n := 2 * len(stats); s.documents && n <= index.MaxFanout {
			f.Repair = fmt.Sprintf("%s --fanout %d", reindexCommand, n)
		}
		all = append(all, f)
	}
	return all
}
