package secretstore_test

// mutation is a fault that is planted in the engine.
type mutation struct {
	name     string
	file     string
	old, new string
	// suite is the package and the pattern of the tests that find it.
	suite string
	long  bool // they find it only if TOKENSTORE_LONG is set
}

const (
	schedules  = "./secretstore/enginetest TestSchedulesDocument$"
	scheduled  = schedules + "/"
	crashes    = "./secretstore/enginetest TestCrashEntries/"
	linear     = "./secretstore/enginetest TestLinearizableEntries"
	model      = "./secretstore/enginetest TestModelEntries"
	batches    = "./secretstore/enginetest TestBatches"
	contract   = "./secretstore TestStoreOverMemory/^entries$/"
	staleSuite = "./secretstore TestStoreOverStaleReads/^entries$"
	races      = "./secretstore "
	staleness  = "internal/staleness/memory.go"
	rotated    = "./secretstore/enginetest TestSchedulesRotating/one/"
)

// mutations are the rules of the engine, each taken away: first those by which it
// finds tokens without transactions, then those of the contract.
var mutations = []mutation{
	{
		"the index appends to data that it shares with the driver", "index/object.go",
		"\to.revision, o.size,", "\t_ = append(s.Data, ' ')\n\to.revision, o.size,",
		"./secretstore/enginetest TestDataIsImmutable", false,
	},
	{
		"the engine changes data that it has passed on", "secretstore/row.go",
		"\tr.opaque = err != nil\n", "\tr.opaque = err != nil\n\tclear(secret.Data)\n",
		"./secretstore/enginetest TestDataIsImmutable", false,
	},
	{
		"a rotation leaves its refresh token out of any index", "secretstore/omitted.go",
		"\tif omitted {\n\t\tp.claims", "\tif omitted || true {\n\t\tp.claims",
		races + "TestCheckRecommendsRotating|TestQuotaErrorOfARotation", false,
	},
	{
		"a rotation releases the old refresh token", "secretstore/omitted.go",
		"p.claims, p.releases = claims, releases", "p.claims = claims",
		races + "TestRotatingFollowsTheIndex", false,
	},
	{
		"an update of a token without a user leaves its refresh token out", "secretstore/omitted.go",
		"r.token.UserName == \"\" || len(claims)", "len(claims)",
		races + "TestTokenWithoutAUserIsIndexed", false,
	},
	{
		"an insert of a user leaves its refresh token out", "secretstore/save.go",
		"\tp.claims = a.s.keys(token)\n", "\tp.claims = a.s.keys(token)\n\tif token.UserName != \"\" && a.s.documents {\n\t\tp.claims = withoutRefresh(p.claims)\n\t}\n",
		rotated + "^from_nothing:_save_r1_._save_u1_r1$", true,
	},
	{
		"a repair marks what was in the index when it began", "secretstore/repair_tokens.go",
		"\t\tview = r.s.index.View()\n", "",
		races + "TestRepairMarksWhatIsInTheIndexNow", false,
	},
	{
		"a find believes a read of many rows that one is absent", "secretstore/load.go",
		"return a.loadMany(ctx, missing, a.s.readListed)", "return a.loadMany(ctx, missing, a.s.readAll)",
		races + "TestFindTokensDoubtsAbsence", false,
	},
	{
		"many finds believe an absence that a batch reports", "secretstore/findmany.go",
		"\tdefer a.forgetAbsent()\n", "",
		races + "TestFindTokensDoubtsAbsence", false,
	},
	{
		"a find does not search for a refresh token that is left out", "secretstore/search.go",
		"\t\tif leftOut {\n", "\t\tif leftOut && k.Kind == tokenstore.AccessKey {\n",
		races + "TestRotatingFollowsTheIndex", false,
	},
	{
		"a save without a user does not search before it inserts", "secretstore/search.go",
		"\t\tif leftOut {\n", "\t\tif leftOut && a.finding {\n",
		races + "TestRotatingLater", false,
	},
	{
		"an adoption searches among users' tokens", "secretstore/search.go",
		"\tif !ownerless {\n", "\tif !ownerless || k.Kind == tokenstore.RefreshKey {\n",
		races + "TestTokenWithoutAUserIsIndexed", false,
	},
	{
		"a search overlooks a token that was inserted meanwhile", "secretstore/search.go",
		"\tfor range maxLooks {\n\t\tr, err := a.scanFor(", "\tfor range 1 {\n\t\tr, err := a.scanFor(",
		races + "TestSearchFollowsARenamedUser", false,
	},
	{
		"a save completes a damaged token before one that it makes fail", "secretstore/group.go",
		"depends := left && m.mends()", "depends := left && m.mends() && false",
		races + "TestSaveTokensBeforeDamageIsMended", false,
	},
	{
		"a search overlooks what it has read if only the index shows whose it is", "secretstore/search.go",
		"\treturn a.witness.recognise(ctx, rows...)\n}", "\treturn nil\n}",
		races + "TestFindTokensOfAnOverwrittenToken", false,
	},
	{
		"each of many finds lists the tokens again", "secretstore/search.go",
		"!a.finding || a.scan.again || len", "!a.finding || len",
		races + "TestFindTokensOfUnknownTokens", false,
	},
	{
		"each of many finds reads the tokens again", "secretstore/search.go",
		"if a.editedScan == nil {", "if true {",
		races + "TestFindTokensOfUnknownTokens", false,
	},
	{
		"a find of an unknown user reads all of a large index", "index/document_list.go",
		"if v.layout.fanout <= atATime {", "if v.layout.fanout > 0 {",
		races + "TestFindOfAnUnknownUserReadsPartOfALargeIndex", false,
	},
	{
		"a batch writes one document after the other", "index/document_write.go",
		"parallel.Each(ctx, len(parts), v.x.config.Parallelism,", "parallel.Each(ctx, len(parts), 1,",
		"./index TestBatchWritesDocumentsInParallel", false,
	},
	{
		"a search never stops before the last token", "secretstore/search.go",
		"const searchChunk = 200", "const searchChunk = 1 << 20",
		races + "TestSearchStopsAtTheHit", false,
	},
	{
		"a repair adds what is left out", "secretstore/repair_tokens.go",
		"if r.rotating && row.token.UserName != \"\" {", "if r.rotating && row.token.UserName == \"-\" {",
		races + "TestRotatingLater", false,
	},
	{
		"a repair leaves out the refresh token of a token without a user", "secretstore/repair_tokens.go",
		"if r.rotating && row.token.UserName != \"\" {", "if r.rotating {",
		races + "TestRotatedTokenLosesItsUser", false,
	},
	{
		"a process relies on a single document that it remembers", "index/omit.go",
		"ok && (l.rotating || l.fanout > 1)", "ok",
		races + "TestQuotaErrorOfARotation", false,
	},
	{
		"a look-up's layout does not say what is left out", "index/omit.go",
		"\treturn v.layout.rotating, nil\n", "\treturn v.layout.rotating && v.layout.fanout == 1, nil\n",
		"./index TestOmitMeetsOldMemory", false,
	},
	{
		"an announcement does not say what is left out", "index/page.go",
		"l.epoch, l.fanout, l.omits()))", "l.epoch, l.fanout, \"\"))",
		"./index TestPageRoundTrip", false,
	},
	{
		"another fan-out forgets what is left out", "index/reshard.go",
		"\t\tl.fanout = fanout\n\t\treturn l, err\n", "\t\treturn layout{epoch: l.epoch, fanout: fanout}, err\n",
		"./index TestOmitsFollowsTheRoot", false,
	},
	{
		"a change that grows forgets what is left out", "index/page.go",
		"\tl.epoch, l.fanout = l.epoch+1, fanout\n", "\tl = layout{epoch: l.epoch + 1, fanout: fanout}\n",
		"./index TestOmitSurvivesGrowth", false,
	},
	{
		"what is left out is changed without a new layout", "index/omit.go",
		"\treturn x.change(ctx, func(_ *page, l layout) (layout, error) {\n\t\tl.rotating = true\n\t\treturn l, nil\n\t})\n",
		"\troot, err := x.readRoot(ctx)\n\tif err != nil {\n\t\treturn err\n\t}\n\troot.rotating = true\n\treturn x.save(ctx, root, x.limits.MaxSize)\n",
		"./index TestOmitMeetsOldMemory", false,
	},
	{
		"an overwritten save is done although it may have begun after that write", "secretstore/overwritten.go",
		"a.started.Sub(x.began) >= staleness.Patience", "a.started.Sub(x.began) >= 0*staleness.Patience",
		"./secretstore TestOverwrittenSave", false,
	},
	{
		"a save that was overwritten in part is done", "secretstore/overwritten.go",
		"if wanted[i] != before[i] && now[i] == before[i] {", "if wanted[i] != before[i] && now == before {",
		"./secretstore TestOverwrittenSave", false,
	},
	{
		"several writes together overwrite a save", "secretstore/overwritten.go",
		"p.target.generation != lost.target.generation+1 {", "p.target.generation <= lost.target.generation {",
		"./secretstore TestOverwrittenSave", false,
	},
	{
		"a save whose keys are in the index can be overwritten", "secretstore/overwritten.go",
		"len(p.claims)+len(p.releases)+len(p.rests) > 0", "len(p.rests) > 0",
		"./secretstore TestOverwrittenSave", false,
	},
	{
		"an index that was put back counts as whole", "index/page.go",
		"p.lacking = p.restored || lacking > 0", "p.lacking = lacking < 0",
		races + "TestRestoredIndexHidesNoToken", false,
	},
	{
		"the token is written before its keys are claimed", "secretstore/save.go",
		"\tif len(p.claims) > 0 {\n\t\tothers, err := a.view.Claim",
		"\tearly, err := a.s.write(ctx, p.next)\n\tif err != nil {\n\t\treturn err\n\t}\n\tp.next = early\n\tif len(p.claims) > 0 {\n\t\tothers, err := a.view.Claim",
		crashes + "insert$", true,
	},
	{
		"a release ignores the generation", "secretstore/save.go",
		"a.s.claims(p.releases, p.target)", "a.s.claims(p.releases, &row{id: p.target.id, bookkeeping: bookkeeping{generation: p.target.generation + 1000}})",
		scheduled + "^from_save_u1_r1:_save_u1_r2_._save_u1_r1$", true,
	},
	{
		"a claim does not return the hints of others", "index/hints.go",
		"\t\tif h.ID != id {\n", "\t\tif false {\n",
		scheduled + "^from_nothing:_save_u1_r1_._save_id_x_u1$", true,
	},
	{
		"rows not yet matching are not fenced", "secretstore/settle.go",
		"\tcase r.state == foreign ||", "\tcase r.state == live || r.state == foreign ||",
		scheduled + "^from_save_r1:_save_u1_r1_._save_u1_r2$", true,
	},
	{
		"nothing is fenced where nothing is stored", "secretstore/settle.go",
		"\tcase r.state == foreign ||", "\tcase r.state == absent || r.state == foreign ||",
		scheduled + "^from_nothing:_save_g1_._save_g1_r1$", true,
	},
	{
		"keys on which nothing rests are not settled", "secretstore/settle.go",
		"\tfor i, k := range p.claims {\n", "\tfor i, k := range p.claims {\n\t\tif _, rests := p.rests[k]; !rests {\n\t\t\tcontinue\n\t\t}\n",
		races + "TestInsertWhoseKeyIsTakenOver", false,
	},
	{
		"a hit next to a claim is ignored", "secretstore/settle.go",
		"\t\t\treturn errAgain\n", "\t\t\treturn nil\n",
		scheduled + "^from_nothing:_save_u1_r1_._save_id_x_u1$", true,
	},
	{
		"owned rows are ignored for any key", "secretstore/settle.go",
		"rests && !(ownerless && r.token.UserName != \"\")", "rests && (ownerless || !ownerless) && r.token.UserName == \"\"",
		scheduled + "^from_nothing:_save_u1_r1_._save_id_x_u1$", true,
	},
	{
		"a fence does not raise the generation", "secretstore/row.go",
		"generation = max(s.nextGeneration(r), generation)", "generation = max(r.generation, min(generation, 0))",
		scheduled + "^from", true,
	},
	{
		"a find looks only once", "secretstore/find.go",
		"const maxLooks = 3", "const maxLooks = 1",
		races + "TestFindFollowsAMovingKey", false,
	},
	{
		"an inserted row forgets the generation of the tombstone", "secretstore/row.go",
		"\tif r.state == absent || r.restored {\n", "\tif r.state != live {\n\t\treturn 1\n\t}\n\tif r.state == absent || r.restored {\n",
		scheduled + "^from_save_u1_r1:_delete", true,
	},
	{
		"keys are released before the token is deleted", "secretstore/delete.go",
		"\t\tburied, err := s.write(", "\t\trelease(a, s.claims(s.keys(r.token), r))\n\t\tburied, err := s.write(",
		crashes + "delete$", true,
	},
	{
		"a deletion releases the keys of a later row too", "secretstore/delete.go",
		"\t\trelease(a, s.claims(s.keys(r.token), r))", "\t\tr.generation += 10\n\t\trelease(a, s.claims(s.keys(r.token), r))",
		scheduled + "^from_save_u1_r1:_delete", true,
	},
	{
		"a deletion leaves no tombstone", "secretstore/delete.go",
		"\t\tburied, err := s.write(ctx, s.buried(r, s.nextGeneration(r)))\n",
		"\t\tbury := s.secrets.Delete(ctx, r.name, r.revision)\n\t\tburied, err := r, bury\n",
		races + "TestInsertOverWhatIsDeletedMeanwhile", false,
	},
	{
		"a repair removes the hints of saves under way", "secretstore/repair_hints.go",
		"case r.s.now().Sub(hint.Claimed) <= r.s.grace:", "case r.s.now().Sub(hint.Claimed) < 0:",
		scheduled + "_save_u1_r2_._reindex$", true,
	},
	{
		"a repair removes hints without another look", "secretstore/repair_hints.go",
		"return r.hit(c.Hash, c.ID) }), nil", "return false && r.hit(c.Hash, c.ID) }), nil",
		races + "TestRepairLooksAgain", false,
	},
	{
		"a repair adds no keys", "secretstore/repair_tokens.go",
		"if len(missing) > 0 && !r.options.DryRun {", "if len(missing) < 0 {",
		crashes + "reindex_of_a_lost_index", false,
	},
	{
		"a repair sweeps no tombstones", "secretstore/repair_tokens.go",
		"\terr := r.s.secrets.Delete(ctx, old[i].name, old[i].revision)", "\terr := error(nil)",
		crashes + "delete$", false,
	},
	{
		"a conflict counts as success", "secretstore/save.go",
		"\tstored, err := a.s.write(ctx, p.next)\n", "\tstored, err := a.s.write(ctx, p.next)\n\tif errors.Is(err, driver.ErrConflict) {\n\t\treturn nil\n\t}\n",
		scheduled + "^from_nothing:_save_r1_._save_r1_a4$", true,
	},
	{
		"a conflicting change is overwritten", "secretstore/secret.go",
		"\tif err != nil {\n\t\treturn nil, err\n\t}\n\tstored := *r\n",
		"\tif errors.Is(err, driver.ErrConflict) {\n\t\tnow, _ := s.secrets.Get(ctx, r.name)\n\t\trevision, err = s.secrets.Put(ctx, driver.Secret{Name: r.name, Data: r.data(), Revision: now.Revision})\n\t}\n\tif err != nil {\n\t\treturn nil, err\n\t}\n\tstored := *r\n",
		linear, false,
	},
	{
		"a deletion that lost against a save counts as done", "secretstore/delete.go",
		"\t\tburied, err := s.write(ctx, s.buried(r, s.nextGeneration(r)))\n\t\tif err != nil {\n",
		"\t\tburied, err := s.write(ctx, s.buried(r, s.nextGeneration(r)))\n\t\tif errors.Is(err, tokenstore.ErrConflict) {\n\t\t\treturn nil\n\t\t}\n\t\tif err != nil {\n",
		linear, true,
	},
	{
		"an insert does not rest on the keys by which it looked for a token to adopt", "secretstore/save.go",
		"\t\tp.restOn(missed, true)\n", "",
		linear, true,
	},
	{
		"an operation never gives up", "secretstore/save.go",
		"if tries == s.attempts {", "if tries == -s.attempts {",
		races + "TestSaveGivesUp", false,
	},
	{
		"an operation that stalled goes on", "secretstore/save.go",
		"if a.s.now().Sub(a.started) > maxAge {", "if a.s.now().Sub(a.started) > 10000*maxAge {",
		races + "TestSaveThatSleptBeginsAgain", false,
	},
	{
		"a hit is not checked", "secretstore/row.go",
		"return r.state == live && tokenstore.Holds(r.token, k)", "return r.state == live",
		model, true,
	},
	{
		"an older state is accepted", staleness,
		"\t\treturn Older\n", "\t\treturn Fresh\n",
		staleSuite, false,
	},
	{
		"a row that is briefly gone counts as deleted", staleness,
		"case s.Revision == \"\" && before.Empty,", "case s.Revision == \"\",",
		staleSuite, false,
	},
	{
		"a state without a generation counts as the latest", staleness,
		" && !s.Uncounted && !before.Uncounted", "",
		races + "TestPasteOverAHighGeneration", false,
	},
	{
		"a state that is read again counts as another", staleness,
		"s.Revision != \"\" && s.Revision == before.Revision:", "false:",
		races + "TestTokenWithoutGeneration", false,
	},
	{
		"a state of unknown order counts as the latest", staleness,
		"case asked.Sub(before.Since) < Patience:", "case false:",
		races + "TestEditIsNotReadBackwards", false,
	},
	{
		"a reader that gives up forgets a later state", staleness,
		"now != seen {", "false && now != seen {",
		races + "TestReaderThatGivesUp", false,
	},
	{
		"a repair indexes tokens that have another pepper", "secretstore/repair_tokens.go",
		"r.passed[row.id] = !r.options.ChangePepper && ", "r.passed[row.id] = false && ",
		races + "TestRepairUnderAnotherPepper", false,
	},
	{
		"a lost index counts as an empty one", "secretstore/find.go",
		"if whole || err != nil {", "if _, lists := s.index.(index.Lister); whole || lists || err != nil {",
		races + "TestLostIndexHidesNoToken", false,
	},
	{
		"a deletion of all tokens trusts a damaged index", "secretstore/delete.go",
		"return union(indexed, listed), begun, broken, nil", "return union(indexed, listed[:0]), begun, broken, nil",
		races + "TestDeleteTokensOfALostIndex", false,
	},
	{
		"a repair does not mark the edits that it has re-indexed", "secretstore/repair_tokens.go",
		"return r.mark(ctx, slices.DeleteFunc(tokens, func(row *row) bool { return !edited(row) }))", "return nil",
		races + "TestRepairSeesToAnEdit", false,
	},
	{
		"a repair removes a hint that was claimed again", "index/hints.go",
		"(c.Claimed.IsZero() || c.Claimed.Equal(h.Claimed))", "true",
		races + "TestRepairLeavesAHintThatIsClaimedAgain", false,
	},
	{
		"a person's edit is not noticed", "secretstore/row.go",
		"\treturn !s.mayLackAccess() || r.digest != s.digestOf(r.id, r.token, !access)\n", "\treturn false\n",
		crashes + "update_of_an_edited_token", false,
	},
	{
		"a hint of an edited token is released", "secretstore/settle.go",
		"r.state == live && a.s.edited(r):", "false:",
		races + "TestHintsOfAnEditedTokenStay", false,
	},
	{
		"a token without keys is not in the index", "secretstore/row.go",
		"\t\treturn []tokenstore.Key{{Kind: idKey, Value: t.ID}}\n", "\t\treturn nil\n",
		races + "TestTokenWithoutKeysStaysListed", false,
	},
	{
		"unknown fields are dropped", "secretstore/row.go",
		"next.object = r.object.Clone()", "next.object = driver.Object{}",
		model, true,
	},
	{
		"tokens saved together may depend on each other", "secretstore/group.go",
		"case depends, m.plan == nil && open:", "case m.plan == nil && open:",
		"./secretstore TestSaveTokensBeforeDamageIsMended|TestSaveTokensOfTwins", false,
	},
	{
		"a save does not see what one before it in the same call has changed", "secretstore/group.go",
		"\t\tmarks = append(marks, p.next.id)\n\t\tadd(p.next.token)\n", "",
		races + "TestSaveTokensOfOneRow", false,
	},
	{
		"a fault of a plan stands though a save before it in the same call has removed its cause", "secretstore/group.go",
		"case depends, m.plan == nil && open:", "case depends, m.plan == nil && open && depends:",
		races + "TestSaveTokensAfterDamage", false,
	},
	{
		"the ID that a token is to get may be that of another saved with it", "secretstore/group.go",
		"marks = append(marks, escapeID(m.token.ID))", "marks = append(marks, \"id \"+m.token.ID)",
		races + "TestSaveTokensOfADerivedID", false,
	},
	{
		"tokens saved together may settle each other's rows", "secretstore/group.go",
		"range apart(claimed) {", "range claimed {",
		"./secretstore TestSaveTokensAfterCopies", false,
	},
	{
		"tokens are as old as their writes, not their places in the call", "secretstore/group.go",
		"\t\t\tp.next.created = it.created\n", "\t\t\t_ = it.created\n",
		races + "TestSaveTokensKeepsOrder", false,
	},
	{
		"a group that gets too old begins again with all its tokens", "secretstore/savemany.go",
		"most = max(done, len(next)/10, 1)", "most = len(next)",
		races + "TestSaveTokensOnAVerySlowService", false,
	},
	{
		"a group that gets too old goes on", "secretstore/group.go",
		"\t\tif g.tooOld() != nil {\n\t\t\treturn nil //nolint:nilerr // It is left to the next group.\n\t\t}\n", "\t\tg.started = g.s.wall()\n",
		races + "TestSaveTokensThatSlept", false,
	},
	{
		"one lost reply of a claim fails all tokens", "secretstore/savemany.go",
		"claimTries = 3", "claimTries = 1",
		races + "TestSaveTokensAfterALostClaim", false,
	},
	{
		"a document that takes no writes keeps others from being written", "index/document_write.go",
		"case concernsOne(err):", "case concernsOne(nil):",
		races + "TestSaveTokensPastAFullDocument", false,
	},
	{
		"the index does not learn how much is about to be stored", "secretstore/group.go",
		"if !ok || hints < expectFrom {", "if !ok || hints > 0 {",
		"./secretstore TestSaveTokensTellsTheIndexOfAll", false,
	},
	{
		"bulk writes do not wait for their turns", "internal/pace/pace.go",
		"\tif l.rate > 0 {\n", "\tif l.rate < 0 {\n",
		"./internal/pace TestRate", false,
	},
	{
		"a throttled write fails", "internal/pace/pace.go",
		"if !throttled || max(", "if l.now() != begun || max(",
		races + "TestThrottledBulkSave", false,
	},
	{
		"writes that are throttled become no slower", "internal/pace/pace.go",
		"l.rate = max(l.rate/2, least)", "l.rate = max(l.rate, least)",
		"./internal/pace TestThrottled", false,
	},
	{
		"single saves wait for bulk saves", "secretstore/bulk.go",
		"if ctx.Value(bulkKey{}) == nil {", "if ctx.Value(bulkKey{}) == 0 {",
		races + "TestBulkSavesShareARate", false,
	},
	{
		"a write whose turn came late goes on", "secretstore/bulk.go",
		"if p.wall().Sub(begun) > maxAge {", "if p.wall().Sub(begun) > 10000*maxAge {",
		races + "TestBulkSaveThatSlept", false,
	},
	{
		"tokens to be deleted are read one by one", "secretstore/delete.go",
		"\t\t\tfirst.rows.put(rows[i])\n", "",
		races + "TestBulkDeletionReadsTogether", false,
	},
	{
		"a repair ends at an entry that it cannot change", "secretstore/repair_hints.go",
		"return r.pass(view.Release(ctx, old...))", "return view.Release(ctx, old...)",
		races + "TestRepairGoesPastAnUnreadableEntry", false,
	},
	{
		"an entry that cannot be changed keeps others from being changed", "index/entries_view.go",
		"if err == nil || !concernsOne(err) {", "if err == nil || concernsOne(err) {",
		races + "TestRepairGoesPastAnUnreadableEntry", false,
	},
	{
		"a list reads several documents once", "index/document_list.go",
		"if len(pages) < 2 || !slices.ContainsFunc(pages, hid) {", "if len(pages) < 2 || !slices.ContainsFunc(pages, hid) || true {",
		races + "TestListWhileATokenRotates", false,
	},
	{
		"a batch that is not found says so of every secret", "internal/staleness/staleness.go",
		"return driver.Secret{Name: name}, fault, named || !a.silent", "return driver.Secret{Name: name}, fault, named || true",
		"./internal/staleness TestOnlyAnswersAboutASecretCount", false,
	},
	{
		"a token of another user is adopted", "secretstore/find.go",
		"if ownerless && r.token.UserName != \"\" {", "if false {",
		model, true,
	},
	{
		"the derived ID does not win", "secretstore/find.go",
		"if best == nil || r.id == derived || best.id != derived && older(r, best) < 0 {", "if best == nil || derived != \"\" && older(r, best) < 0 {",
		model, true,
	},
	{
		"the youngest of several wins", "secretstore/find.go",
		"best.id != derived && older(r, best) < 0", "best.id != derived && older(r, best) > 0",
		model, true,
	},
	{
		"foreign secrets count as tokens", "secretstore/damage.go",
		"r.misnamed(), e.hinted, e.derived != \"\":", "r.misnamed(), e.hinted, e.derived != \"\", true:",
		model, true,
	},
	{
		"a damaged secret counts as foreign", "secretstore/damage.go",
		"\tr.state = damaged\n", "\tr.state = foreign\n",
		races + "TestDamagedTokenIsNoStranger", false,
	},
	{
		"a find ignores damaged tokens", "secretstore/find.go",
		"\t\tcase r.barred():\n", "\t\tcase r.state == unreadable:\n",
		races + "TestDamagedTokenIsNoStranger", false,
	},
	{
		"a save of a damaged token inserts another one", "secretstore/find.go",
		"\t\t\tmendable = r\n", "",
		races + "TestDamagedTokenWithoutAUser", false,
	},
	{
		"a save repairs a damaged token only by the key that its ID is derived from", "secretstore/find.go",
		"!a.finding && a.names(r)", "!a.finding && a.names(r) && id == derived",
		races + "TestSaveMendsWhatAHintLeadsTo", false,
	},
	{
		"a save repairs no damaged token that a search finds", "secretstore/search.go",
		"case a.finding || !a.names(r):", "case true:",
		races + "TestSaveMendsWhatASearchFinds", false,
	},
	{
		"a save takes over another user's damaged token", "secretstore/find.go",
		"user != \"\" && user != a.saving.UserName", "user != \"\" && user != a.saving.UserName && false",
		races + "TestSaveMendsWhatAHintLeadsTo", false,
	},
	{
		"a save drops a person's fields of a damaged token", "secretstore/row.go",
		"\tif r.state == live || r.state == damaged {\n\t\tnext.object", "\tif r.state == live {\n\t\tnext.object",
		races + "TestSaveMendsADamagedToken", false,
	},
	{
		"a repair removes the hints of a damaged token", "secretstore/repair_tokens.go",
		"r.passed[row.id] = row.barred()", "r.passed[row.id] = row.state == unreadable",
		races + "TestDamagedTokenIsNoStranger", false,
	},
	{
		"a foreign secret is deleted as damaged", "secretstore/damage.go",
		"\t\t\tr.state = foreign\n\t\t\tw.s.known.foreign(r)\n", "\t\t\tr.state = damaged\n",
		races + "TestStrangersSecretsAreLeftAlone", false,
	},
	{
		"a form of a later release is read as this one's", "secretstore/damage.go",
		"if err := r.object.CheckForm(); err != nil {", "if err := r.object.CheckForm(); err != nil && false {",
		races + "TestFormOfALaterRelease", false,
	},
	{
		"the digest is not bound to the ID", "secretstore/row.go",
		"\th.Write([]byte(id))\n", "",
		races + "TestRenamedToken", false,
	},
	{
		"restored content counts as unedited", "secretstore/row.go",
		"case r.restored || r.uncounted:", "case r.uncounted:",
		races + "TestRestoredTokens", false,
	},
	{
		"a rollback that was seen counts as unedited", "secretstore/known.go",
		"\t\tr.restored = true\n", "",
		races + "TestRollbackThatThisProcessSees", false,
	},
	{
		"a fence hides an edit", "secretstore/row.go",
		"if s.edited(r) { // It must still count as edited.", "if false {",
		races + "TestFenceHidesNoEdit", false,
	},
	{
		"the last hint of a token is released", "secretstore/settle.go",
		"\treturn true, nil\n}", "\treturn false, nil\n}",
		races + "TestLastHintStays", false,
	},
	{
		"absence from a batch is believed", "secretstore/secret.go",
		"\tif s.batch == nil {\n\t\treturn nil //", "\tif s.batch != nil {\n\t\treturn nil //",
		races + "TestAbsenceOfABatch", false,
	},
	{
		"a list reads on when a chunk is decoded", "secretstore/list.go",
		"\t\t\tfor decode := range s.fetched(ctx, ids) {\n\t\t\t\tchunks <- decode\n",
		"\t\t\tfor rows, err := range s.readChunks(ctx, ids) {\n\t\t\t\tchunks <- func(context.Context) ([]*row, error) { return rows, err }\n",
		races + "TestGetTokensDecodesWhileItReads", false,
	},
	{
		"each part of a list learns again whether the role may read", "secretstore/list.go",
		"\t\tfor chunk := range slices.Chunk(ids, listChunk) {\n",
		"\t\tfor chunk := range slices.Chunk(ids, listChunk) {\n\t\t\tpermission.allowed.Store(false)\n",
		races + "TestTokensOfWhichALaterPartIsDenied", false,
	},
	{
		"a list reads all tokens at once", "secretstore/list.go",
		"const listChunk = 500", "const listChunk = 1 << 30",
		races + "TestTokensReadsAPartAtATime", false,
	},
	{
		"a token that cannot be read ends a list", "secretstore/list.go",
		"\t\tif !goOn {\n", "\t\tif !goOn || r.barred() {\n",
		races + "TestTokensOfWhichALaterPartIsDenied", false,
	},
	{
		"a writer that found a document crowded long ago decides on the fan-out", "index/growth.go",
		"if root.exists() && l != seen {", "if root.exists() && l != seen && fanout == 0 {",
		"./index TestGrowthOfASlowWriter", false,
	},
	{
		"a change begins without the writes that it takes", "index/growth.go",
		"limit == 0 || root.writes.total(now)+announceAndSwap <= limit", "limit == 0 || root.writes.total(now) <= limit+announceAndSwap",
		"./index TestGrowthNeedsWrites", false,
	},
	{
		"one key that is written again and again makes the index grow", "index/growth.go",
		"if busy && x.spread(ctx, l) {", "if busy {",
		"./index TestWritesOfADay", false,
	},
	{
		"a key that many tokens share makes the index grow", "index/growth.go",
		"if len(parts) > 1 && !slices", "if !slices",
		"./index TestFullDocument", false,
	},
	{
		"claims that have no room fail though a larger fan-out has", "index/growth.go",
		"if !errors.Is(err, ErrFull) ||", "if err != nil ||",
		"./index TestGrowthOfABatch", false,
	},
	{
		"writes do not make the index grow", "index/growth.go",
		"busy := crowded(", "busy := l.fanout < 0 && crowded(",
		"./secretstore TestGrowthByItself", false,
	},
	{
		"a claim fails though only growth has failed", "index/document_write.go",
		"		v.Forget()\n\t\terr = ctx.Err()\n", "		v.Forget()\n\t\terr = b.ungrown\n",
		"./index TestGrowthFails", false,
	},
	{
		"a missing document of a layout that was read long ago is evidence", "index/document_view.go",
		"case !p.exists() && !v.rootFresh() &&", "case !p.exists() && v.rootAt.IsZero() &&",
		"./index TestSleptThroughGrowth", false,
	},
	{
		"old documents are deleted within the grace period", "index/retire.go",
		"<= max(x.config.Grace, shortestGrace)", "< 0",
		"./index TestRetire$", false,
	},
	{
		"a change of the fan-out seals from the beginning", "index/reshard_documents.go",
		"if p.frozen() {\n\t\t\t\t\tsealed", "if false && p.frozen() {\n\t\t\t\t\tsealed",
		"./index TestChangeInSmallSteps", false,
	},
	{
		"the root does not remember the old documents", "index/reshard.go",
		"	swapped.retired = root.retired.add(root.layout, x.config.Now())\n", "",
		"./index TestRetire$", false,
	},
	{
		"the root forgets old documents before all are deleted", "index/retire.go",
		"if err == nil && done == old.fanout {", "if err == nil && done > 0 {",
		"./index TestRetire$", false,
	},
	{
		"a document that is kept counts as current", "index/kept.go",
		"if p.revision != s.Revision || p.restored != s.Restored {", "if p.restored != s.Restored {",
		schedules, false,
	},
	{
		"a document that is kept does not say that it was put back", "index/kept.go",
		"if p.revision != s.Revision || p.restored != s.Restored {", "if p.revision != s.Revision {",
		"./index TestKeptDocumentThatWasPutBackIsLacking", false,
	},
	{
		"a writer changes the document that is kept", "index/kept.go",
		"		p.Object, p.shared = p.Clone(), false\n", "		p.shared = false\n",
		"./index TestKeptDocumentIsNotChangedByItsReaders", false,
	},
	{
		"the documents that are kept have no bound", "index/kept.go",
		"for k.bytes > keptBytes {", "for k.bytes < 0 {",
		"./index TestKeptDocumentsAreBounded", false,
	},
	{
		"an old document that is not sealed is deleted", "index/retire.go",
		"err != nil || !p.frozen() {", "err != nil || p == nil {",
		"./index TestRetireLeavesWhatItDoesNotKnow", false,
	},
	{
		"a process goes on trying to delete what it may not", "index/retire.go",
		"		x.retiring.after = x.config.Now().Add(retryRetiring)\n", "		x.retiring.after = x.config.Now()\n",
		"./index TestRetireDenied", false,
	},
	{
		"an index is not made large enough in advance", "index/growth.go",
		"for ; fanout < MaxFanout; fanout = doubled(fanout) {", "for fanout < 0 {",
		"./index TestExpect", false,
	},
	{
		"an expiry outlives its access token", "rules.go",
		"\t\tupdated.Expiry = time.Time{}\n", "",
		contract, false,
	},
}
