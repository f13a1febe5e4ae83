package secretstore_test

const (
	sourceSchedules = "./tokensource TestSchedules$"
	sourceUnits     = "./tokensource "
)

// sourceMutations are the rules of package tokensource, each taken away: those that the
// interleavings find, by the names of their effects, and then the others.
var sourceMutations = []mutation{
	{
		"source: redeems without a claim", "tokensource/claim.go",
		"\t\tstart := f.s.now()\n\t\twon, err", "\t\tif true {\n\t\t\tf.e.claim = ownClaim{}\n\t\t\treturn f.redeem\n\t\t}\n\t\tstart := f.s.now()\n\t\twon, err",
		sourceSchedules, false,
	},
	{
		"source: claims without looking at what has changed", "tokensource/claim.go",
		"\t\twon, err := f.writeClaim(", "\t\t_ = f.fetch(ctx)\n\t\twon, err := f.writeClaim(",
		sourceSchedules, false,
	},
	{
		"source: the loser of a claim redeems", "tokensource/claim.go",
		"tokenstore.ErrConflict)\n\t\t\treturn f.look", "tokenstore.ErrConflict)\n\t\t\treturn f.redeem",
		sourceSchedules, false,
	},
	{
		"source: a claim has ended when the reader's clock says so", "tokensource/look.go",
		">= n.lasts+trust", ">= n.lasts",
		sourceSchedules, false,
	},
	{
		"source: a holder does not look at its clock", "tokensource/redeem.go",
		"if elapsed(c.begun, start) > budget {", "if elapsed(c.begun, start) > time.Hour {",
		sourceSchedules, false,
	},
	{
		"source: a note counts whatever it is about", "tokensource/note.go",
		"if n.kind == noNote || n.fit !=", "if n.kind == noNote || n.fit == \"\" && n.fit !=",
		sourceSchedules, false,
	},
	{
		"source: a claim is about the refresh token only", "tokensource/note.go",
		"about = []string{t.GrantToken, t.RefreshToken, t.AccessToken}", "about = []string{t.GrantToken, t.RefreshToken}",
		sourceSchedules, false,
	},
	{
		"source: a save counts only under one's own claim", "tokensource/save.go",
		"\t\tcase differs(&f.row, &redeemed):\n", "\t\tcase true:\n",
		sourceSchedules, false,
	},
	{
		"source: a save overwrites whatever is stored", "tokensource/save.go",
		"\t\tcase differs(&f.row, &redeemed):\n", "\t\tcase differs(&f.row, &redeemed) && false:\n",
		sourceSchedules, false,
	},
	{
		"source: a save inserts what was deleted", "tokensource/save.go",
		"\t\t\treturn f.gone(err) // It was", "\t\t\t_, _ = f.s.store.SaveToken(ctx, tokenstore.Update(redeemed.OAuthToken, got))\n\t\t\treturn f.gone(err) // It was",
		sourceSchedules, false,
	},
	{
		"source: a save of unknown outcome is not looked after", "tokensource/save.go",
		"&& f.isSaved(ctx, redeemed) {", "{",
		sourceSchedules, false,
	},
	{
		"source: takes over while the access token is good", "tokensource/look.go",
		"case ended && good && !forever:", "case ended && good && !forever && now.IsZero():",
		sourceSchedules, false,
	},
	{
		"source: takes over while the access token is good, within the reuse", "tokensource/look.go",
		"case ended && good && !forever:", "case ended && good && f.reuse() == 0:",
		sourceSchedules, false,
	},
	{
		"source: sends again at once what may have been received", "tokensource/redeem.go",
		"\treturn reuse == Forever ||", "\treturn reuse >= 0 ||",
		sourceSchedules, false,
	},
	{
		"source: removes its claim when the outcome is unknown", "tokensource/redeem.go",
		"unknown && ctx.Err() == nil {\n", "unknown && ctx.Err() == nil {\n\t\t\t_, _ = f.swap(ctx, tokenstore.OAuthToken{}, \"\")\n",
		sourceSchedules, false,
	},
	{
		"source: believes a refusal at once", "tokensource/refuse.go",
		"\tstart := f.s.now()\n", "\tif ctx.Err() == nil {\n\t\treturn f.fail(&Error{Kind: ErrNeedsConsent})\n\t}\n\tstart := f.s.now()\n",
		sourceSchedules, false,
	},
	{
		"source: records a refusal under anybody's claim", "tokensource/refuse.go",
		"\tif err == nil && !swapped {\n", "\tif err == nil && !swapped && fitting(&f.row).kind == claimed {\n\t\treturn f.refuse\n\t}\n\tif err == nil && !swapped {\n",
		sourceSchedules, false,
	},
	{
		"source: does not record a refusal", "tokensource/refuse.go",
		"f.swap(ctx, tokenstore.OAuthToken{}, text.String())", "f.swap(ctx, tokenstore.OAuthToken{}, text.String()[:0]+f.row.Note)",
		sourceSchedules, false,
	},
	{
		"source: never takes over", "tokensource/look.go",
		"\treturn now.Sub(f.e.seenAt) >= n.lasts ||", "\treturn false && now.Sub(f.e.seenAt) >= n.lasts ||",
		sourceSchedules, false,
	},
	{
		"source: claims do not double", "tokensource/claim.go",
		"\tfor range n {\n", "\tfor range 0 * n {\n",
		sourceUnits + "TestOutage", false,
	},
	{
		"source: claims at once where every write counts", "tokensource/claim.go",
		"case !f.cold && !f.s.good(", "case false && !f.cold && !f.s.good(",
		sourceUnits + "TestColdHerd", false,
	},
	{
		"source: refreshes when every other process does", "tokensource/memory.go",
		"t.Expiry.Add(-margin - s.exponential(min(spread, life/60)))", "t.Expiry.Add(-margin - 0*s.exponential(min(spread, life/60)))",
		sourceUnits + "TestChance", false,
	},
	{
		"source: a margin may be longer than a life", "tokensource/memory.go",
		"min(s.margin, life/4)", "max(s.margin, life/400)",
		sourceUnits + "TestShortLives", false,
	},
	{
		"source: redeems at each call if new tokens have ended when they come", "tokensource/memory.go",
		"case redeemed && left < time.Second:", "case redeemed && left < -24*time.Hour:",
		sourceUnits + "TestEndedWhenItComes", false,
	},
	{
		"source: renews at each refusal if new tokens have ended when they come", "tokensource/look.go",
		"(f.s.good(t, \"\") || f.s.now().Before(m.until)) {", "f.s.good(t, \"\") {",
		sourceUnits + "TestEndedWhenItComes", false,
	},
	{
		"source: renews what another process has just got", "tokensource/memory.go",
		"if old != nil && !known && e.stood", "if old != nil && known && e.stood",
		sourceUnits + "TestRenewStorm", false,
	},
	{
		"source: reads a token without an expiry once", "tokensource/memory.go",
		"now.Add(unknownEnd - ", "now.Add(1000*unknownEnd - ",
		sourceUnits + "TestUnknownEnd", false,
	},
	{
		"source: keeps every token in memory", "tokensource/memory.go",
		"if len(s.byID) >= s.limit {", "if len(s.byID) < 0 {",
		sourceUnits + "TestManyTokens", false,
	},
	{
		"source: leaves no claim after a failure without one", "tokensource/redeem.go",
		"\t\tif f.e.claim.nonce == \"\" {\n\t\t\tstart", "\t\tif f.e.claim.nonce == \"\" && ctx == nil {\n\t\t\tstart",
		sourceUnits + "TestForeverNeedsNoClaim", false,
	},
	{
		"source: gives up what was not sent", "tokensource/redeem.go",
		"\t\t\tagain = true\n", "\t\t\tagain = unknown > 100\n",
		sourceUnits + "TestNotSentIsSentAgain", false,
	},
	{
		"source: does not record a long pause", "tokensource/redeem.go",
		"own.Next.IsZero() || pause <=", "own.Next.IsZero() || pause > 0 || pause <=",
		sourceUnits + "TestThrottledForLong", false,
	},
	{
		"source: believes a refusal for ever", "tokensource/look.go",
		"if now.Sub(n.written) < believed {", "if now.Sub(n.written) < 1000*believed {",
		sourceUnits + "TestRefusalIsRemembered", false,
	},
	{
		"source: never trusts another's clock", "tokensource/look.go",
		">= n.lasts+trust", ">= n.lasts+100*trust",
		sourceUnits + "TestClocksDiffer", false,
	},
	{
		"source: renews what was just issued", "tokensource/look.go",
		"f.s.now().Sub(e.issued) < justIssued", "f.s.now().Sub(e.issued) < 0",
		sourceUnits + "TestRenew", false,
	},
	{
		"source: an unwanted flight goes on waiting", "tokensource/look.go",
		"case err != nil, !wanted:", "case err != nil, !wanted && f.waits > 1000:",
		sourceUnits + "TestNobodyWantsIt", false,
	},
	{
		"source: reads at every call while another refreshes", "tokensource/obtain.go",
		"|| now.Before(e.quiet))", "|| now.Before(time.Time{}))",
		sourceUnits + "TestWaitingCostsFewReads", false,
	},
	{
		"source: a cancelled caller cancels the refresh", "tokensource/obtain.go",
		"context.WithTimeout(context.WithoutCancel(ctx), timeout)", "context.WithTimeout(ctx, timeout)",
		sourceUnits + "TestCancelledCaller", false,
	},
	{
		"source: a call in the foreground does not wait", "tokensource/obtain.go",
		"began && s.foreground", "began && s.foreground && m == nil",
		sourceUnits + "TestLambda", false,
	},
	{
		"source: a query keeps the token that it has found", "tokensource/obtain.go",
		"\t\tif lost {\n", "\t\tif lost && e == nil {\n",
		sourceUnits + "TestQueriesFollowTheRow", false,
	},
	{
		"source: saves with calls only", "tokensource/save.go",
		"\tif u.waited == 0 {\n", "\tif u.waited < 0 {\n",
		sourceUnits + "TestNotSavedIsSavedLater", false,
	},
	{
		"source: Close saves nothing", "tokensource/source.go",
		"err = errors.Join(err, s.saveLast(ctx, e))", "err = errors.Join(err, ctx.Err())\n\t\t_ = e",
		sourceUnits + "TestCloseSaves", false,
	},
	{
		"source: alone, a save inserts", "tokensource/alone.go",
		"\tif err != nil {\n\t\treturn now, err\n\t}\n\tif now.RefreshToken", "\tif err != nil {\n\t\tnow = u.row.OAuthToken\n\t}\n\tif now.RefreshToken",
		sourceUnits + "TestAlone$", false,
	},
	{
		"source: a redirect takes the token along", "tokensource/transport.go",
		"\treturn first != r &&", "\treturn first == nil &&",
		sourceUnits + "TestTransportKeeps", false,
	},
	{
		"source: an error shows the redeemer's words", "tokensource/errors.go",
		"\treturn fmt.Sprintf(\"%T\", err)", "\treturn fmt.Sprintf(\"%v\", err)",
		sourceUnits + "TestNoCredentialIsShown", false,
	},
	{
		"source: who has waited does not wait for a takeover", "tokensource/look.go",
		"case left > f.s.patience(), waited >= f.s.patience():", "case waited+left > f.s.patience():",
		sourceUnits + "TestTakeoverServesAllWaiters$", false,
	},
	{
		"source: a call waits for a claim that it cannot see the end of", "tokensource/look.go",
		"case left > f.s.patience(), waited >= f.s.patience():", "case waited >= f.s.patience():",
		sourceUnits + "TestNobodyWaitsForLongerThanTwoClaims$", false,
	},
	{
		"oauth2: every failure is answered in the other style", "tokensource/oauth2/redeemer.go",
		"if err != nil && refusesClient(err) {", "if err != nil {",
		"./tokensource/oauth2 TestAutoDetectAsksOnce$", false,
	},
	{
		"oauth2: a failure without a connection counts as sent", "tokensource/oauth2/redeemer.go",
		"if err != nil && connected.Never() {", "if err != nil && false && connected.Never() {",
		"./tokensource/oauth2 TestNotSent$", false,
	},
	{
		"oauth2: a failure after the connection counts as not sent", "internal/unsent/unsent.go",
		"return c.asked.Load() && !c.got.Load()", "return !c.got.Load() || c.asked.Load()",
		"./tokensource/oauth2 TestNotSent$", false,
	},
	{
		"oauth2: a gateway's error is believed", "tokensource/oauth2/errors.go",
		"case status >= http.StatusInternalServerError:", "case status >= http.StatusInternalServerError && e.ErrorCode == \"\":",
		"./tokensource/oauth2 TestAnswers$", false,
	},
	{
		"oauth2: an error quotes the provider", "tokensource/oauth2/errors.go",
		"bare := &oauth2.RetrieveError{Response: &http.Response{}}", "bare := &oauth2.RetrieveError{Response: &http.Response{}, Body: e.Body}",
		"./tokensource/oauth2 TestErrorsShowNoCredential$", false,
	},
	{
		"source: a save that is under way is a failure", "tokensource/obtain.go",
		"u != nil && u.waited > 0 {", "u != nil {",
		sourceUnits + "TestSavingIsNoFailure", false,
	},
	{
		"source: what a redeemer omits is lost until the save", "tokensource/save.go",
		"token := tokenstore.Update(u.row.OAuthToken, u.got)", "token := u.got",
		sourceUnits + "TestNotSavedIsSavedLater", false,
	},
}
