package secretstore_test

// swapMutations are the rules of swaps and notes, and of pings, each taken away, in all
// stores.
var swapMutations = []mutation{
	{"an undeleted token loses what the store does not know", "secretstore/undelete.go", "\t\tp.next.object = old.object.Clone()\n", "", races + "TestUndeleteKeepsWhatItDoesNotKnow", false},
	{"a deletion of what is unchanged compares nothing", "secretstore/delete_unchanged.go", "return tokenstore.SameCredentials(r.token, *d.seen), nil", "return true, nil", contract + "^remove-changed-refresh$", false},
	{"a deletion of what is unchanged compares only once", "secretstore/delete.go", "if b.seen != nil && r.state", "if b.seen != nil && tries == 1 && r.state", races + "TestDeleteUnchangedComparesAgain", false},
	{"a deletion that left versions is not finished", "secretstore/delete.go", "cmp.Or(a.retireAgain(ctx, r), tokenstore.ErrNotFound)", "cmp.Or(ctx.Err(), tokenstore.ErrNotFound)", races + "TestDeleteUnchangedFinishes", false},
	{"a file deletes what has changed", "filestore/filestore.go", "faults[i] = rowstore.Unchanged(r, t); faults[i] == nil", "faults[i] = rowstore.Unchanged(r, t); t.ID != \"\"", "./filestore TestConformance/.*remove", false},
	{"a swap ignores the grant token", "swap.go", "a.GrantToken == b.GrantToken && ", "", contract + "^swap-lost-grant$", false},
	{"a swap ignores the refresh token", "swap.go", "a.RefreshToken == b.RefreshToken && ", "", contract + "^swap-lost-refresh$", false},
	{"a swap ignores the access token", "swap.go", " && a.AccessToken == b.AccessToken", "", contract + "^swap-lost-access$", false},
	{"a swap ignores the note", "swap.go", " || stored.Note != old.Note {", " {", contract + "^swap-lost-note$", false},
	{"a swap sets the user name", "swap.go", "\tnext.UserName = \"\" // Update ignores the ID.\n", "", contract + "^swap-owner$", false},
	{"a note has several lines", "swap.go", "return !unicode.IsPrint(r)", "return !unicode.IsPrint(r) && r < 0", contract + "^swap-invalid$", false},
	{"a note has any length", "swap.go", "case len(note) > MaxNote:", "case len(note) < 0:", contract + "^swap-invalid$", false},
	{"a note has a credential", "swap.go", "&& strings.Contains(note, text) {", "&& strings.Contains(note, text) && text == \"\" {", contract + "^swap-invalid$", false},
	{
		"a swap finds a deleted token", "secretstore/swap.go",
		"case r.state != live || r.token.ID != id:", "case r.state == foreign:",
		contract + "^swap-deleted$", false,
	},
	{
		"a swap overwrites a save", "secretstore/swap.go",
		"\tp.next.generation++\n", "",
		races + "TestASwapDoesNotOverwrite", false,
	},
	{
		"a swap goes by what was read for ever", "secretstore/swap.go",
		"\t\tseen = nil //", "\t\t_ = seen //",
		races + "TestSwapCalls", false,
	},
	{
		"a swap goes by what another store has read", "secretstore/swap.go",
		"seen.store != s || ", "",
		races + "TestSwapOfAnotherStoresRead", false,
	},
	{
		"a swap goes by what was read, though the caller says otherwise", "secretstore/swap.go",
		"; !same {", "; !same && s == nil {",
		races + "TestSwapReadsWhatTheCallerChanged", false,
	},
	{
		"a swap that changes nothing is not compared", "secretstore/swap.go",
		"\t\tp, err := a.planSwap(ctx, r, want)\n",
		"\t\tif want.OAuthToken == r.token && want.Note == noteOf(r) {\n\t\t\tnow, swapped = want, true\n\t\t\treturn nil\n\t\t}\n\t\tp, err := a.planSwap(ctx, r, want)\n",
		races + "TestSwapOfNothingIsAComparison", false,
	},
	{
		"a swap fails after any write of others", "secretstore/swap.go",
		"\t\tif !applies {\n", "\t\tif !applies || old.Read != nil && s.seenBy(old) != r {\n",
		races + "TestSwapWhileOthersFence", false,
	},
	{
		"a swap is written again when its outcome is unknown", "secretstore/swap.go",
		"\t\tif err := a.carryOut(ctx, p); err != nil {\n", "\t\tif err := a.carryOut(ctx, p); err != nil {\n\t\t\tif tokenstore.Retryable(err) {\n\t\t\t\treturn errAgain\n\t\t\t}\n",
		races + "TestSwapOfUnknownOutcome", false,
	},
	{
		"a swap claims no keys", "secretstore/swap.go",
		"\tif noteOf(r) != want.Note {\n", "\tp.claims = nil\n\tif noteOf(r) != want.Note {\n",
		contract + "^swap-key$", false,
	},
	{
		"saves drop the note", "secretstore/bookkeeping.go",
		"kept(noteField, live)", "kept(noteField)",
		contract + "^swap-note-kept$", false,
	},
	{
		"a note counts as an edit", "secretstore/row.go",
		"case r.restored || r.uncounted:", "case r.object.Has(noteField) || r.restored || r.uncounted:",
		races + "TestEditedNoteIsNoEditOfKeys", false,
	},
	{
		"a ping takes an absent secret for one", "secretstore/exists.go",
		"\tif errors.Is(err, driver.ErrNotFound) {\n\t\treturn false, nil\n", "\tif errors.Is(err, driver.ErrNotFound) {\n\t\treturn true, nil\n",
		races + "TestPing", false,
	},

	{
		"a note in a table counts whatever an SDK has written", "sqlstore/notes.go",
		"err != nil || content != rowstore.Content(row) {", "err != nil || content == \"\" {",
		"./sqlstore TestNotesAfterAnSDK", false,
	},
	{
		"a save leaves the note to the old content of its row", "sqlstore/rows.go",
		"\tif err := r.carryNote(read.token, row); err != nil {\n\t\treturn err\n\t}\n", "",
		"./sqlstore TestConformanceMemory/^swap-note-kept$", false,
	},
	{
		"a save takes over a note that counts no more", "sqlstore/notes.go",
		"\tcase content != rowstore.Content(before):\n\t\treturn r.dropNote(before.ID)\n", "",
		"./sqlstore TestNotesAfterAnSDK", false,
	},
	{
		"an inserted row takes over a note", "sqlstore/rows.go",
		"\tif err := r.dropNote(row.ID); err != nil {", "\tif err := error(nil); err != nil {",
		"./sqlstore TestNotesAfterAnSDK", false,
	},
	{
		"a deleted row leaves its note", "sqlstore/rows.go",
		"\tif err := r.dropNote(id); err != nil {", "\tif err := error(nil); err != nil {",
		"./sqlstore TestNotesLeaveTheSDKsTableAlone", false,
	},
	{
		"a note that a swap removes stays", "sqlstore/notes.go",
		"\tif note == \"\" {\n\t\treturn r.dropNote(row.ID)\n", "\tif note == \"\" {\n\t\treturn nil\n",
		"./sqlstore TestConformanceMemory/^swap-note$", false,
	},

	{
		"a note in a file counts whatever an SDK has written", "filestore/notes.go",
		"\treturn n[row.ID][rowstore.Content(row)]\n", "\tfor _, note := range n[row.ID] {\n\t\treturn note\n\t}\n\treturn \"\"\n",
		"./filestore TestNotesAfterAnSDK", false,
	},
	{
		"the note of the old content goes before the content", "filestore/notes.go",
		"\t\t\tbetween.set(r.token, notes[r.token.ID])\n", "",
		"./filestore TestCrashBetweenTheFiles", false,
	},
	{
		"the note comes after its content", "filestore/change.go",
		"\tif !between.equal(noted) {\n", "\tif !between.equal(noted) && !r.changed {\n",
		"./filestore TestConformance/^(swap-fields|concurrent-swap-find)$", false,
	},
	{
		"a note is found with another content", "filestore/notes.go",
		"\treturn found, !s.hasChanged(ctx, doc), nil\n", "\treturn found, true, nil\n",
		"./filestore TestConformance/^concurrent-swap-find$", false,
	},
}
