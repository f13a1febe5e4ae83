package secretstore_test

// accessMutations are the rules of access tokens that an index of entries leaves out, and of
// reading its entries once, each taken away.
var accessMutations = []mutation{
	{
		"the keys of a token that was written are not remembered if it was read before", "secretstore/secret.go",
		"stored.revision, stored.again = revision, false", "stored.revision = revision",
		races + "TestWrittenKeysAreRemembered$", false,
	},
	{
		"the keys of another revision are not remembered", "secretstore/known.go",
		"\t\tk.unlearn(r)\n", "",
		races + "TestKeysAreRememberedAgain$", false,
	},
	{
		"keys that were dropped are not remembered again", "secretstore/known.go",
		"if r.again && c.learned == turn {", "if r.again && c.learned != 0 {",
		races + "TestKeysAreRememberedAgain$", false,
	},
	{
		"a program that leaves access tokens out relies on the index of entries", "secretstore/omitted.go",
		"return kind == tokenstore.AccessKey && s.mayLackAccess(), nil", "return false, nil",
		races + "TestAccessTokenIsFoundByEveryProgram", false,
	},
	{
		"a program that indexes access tokens relies on the others to do so", "secretstore/omitted.go",
		"s.omitter != nil || s.access != accessEverywhere", "s.omitter != nil || s.access == accessLeftOut",
		races + "TestAccessTokenIsFoundByEveryProgram", false,
	},
	{
		"the only key of a token is left out", "secretstore/row.go",
		"if !access && len(keys) > 1 {", "if !access {",
		races + "TestAccessTokenOfATokenThatGainsOrLosesItsUser", false,
	},
	{
		"a token counts as edited if its last writer indexed access tokens and this program does not", "secretstore/row.go",
		"\treturn !s.mayLackAccess() || r.digest", "\treturn true || r.digest",
		races + "TestProgramsThatDifferInAccessTokens", false,
	},
	{
		"a program that relies on the index does not add what others left out", "secretstore/row.go",
		"\treturn !s.mayLackAccess() || r.digest", "\treturn r.digest",
		races + "TestProgramsThatDifferInAccessTokens", false,
	},
	{
		"a process searches for an access token of entries that it has seen", "secretstore/known.go",
		"access != \"\" && s.mayLackAccess() {", "access != \"\" && s.omitter != nil {",
		races + "TestKnownAccessTokenOfEntries", false,
	},
	{
		"a repair removes the access tokens that other programs index", "secretstore/repair_tokens.go",
		"indexedKeys(row.token, true) {", "r.s.keys(row.token) {",
		races + "TestRepairOfAccessTokens", false,
	},
	{
		"many saves look up the keys of tokens that are found by their users", "secretstore/prefetch.go",
		"\t\tif !a.atHome(t) {", "\t\tif true {",
		races + "TestEntriesAreReadOnce", false,
	},
	{
		"many saves look up keys that no save looks up", "secretstore/prefetch.go",
		"\tkeys := s.keys(t)\n\tfor _, k := range tokenstore.FindKeys(t)", "\tkeys := s.keys(t)\n\tfor _, k := range tokenstore.KeysOf(t)",
		races + "TestEntriesAreReadOnce", false,
	},
	{
		"many finds look up tokens that are found by their users", "secretstore/findmany.go",
		"if a.atHome(query) {", "if false {",
		races + "TestEntriesAreReadOnce", false,
	},
	{
		"a repair reads each entry again and again", "secretstore/repair.go",
		"\t\tr.hinting = keeper.Keep()\n", "\t\t_ = keeper\n",
		races + "TestEntriesAreReadOnce", false,
	},
	{
		"a kept entry is not read again after others have written it", "index/entries_view.go",
		"\t\tv.x.kept.drop(e.name)", "\t\t_ = e.name",
		"./index TestKeptEntriesOfOthers", false,
	},
	{
		"a kept entry changes when it is decoded", "index/entries_keep.go",
		"\to.Object = o.Clone() // Decoding an entry changes it.\n", "",
		"./index TestKeptEntries", false,
	},
	{
		"a kept entry is not the one that was written", "index/entries_view.go",
		"\tv.x.kept.put(o)\n", "",
		"./index TestKeptEntries$", false,
	},
	{
		"a sweep forgets that it has removed an entry", "index/entries.go",
		"\t\t\tx.kept.put(absent(old[i].name))\n", "\t\t\tx.kept.put(old[i])\n",
		"./index TestKeptEntries$", false,
	},
}
