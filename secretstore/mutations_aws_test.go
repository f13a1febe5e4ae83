// Faults in package awssm, for TestMutations.

package secretstore_test

const onAWS = "./awssm "

// awsMutations are the rules by which losers leave no version on AWS, each taken away.
var awsMutations = []mutation{
	{
		"a candidate's ID is random", "awssm/successor.go",
		"c := candidate{encoded, base, successor(base), value}", "c := candidate{encoded, base, newVersion(), value}",
		onAWS + "TestLosersLeaveNoVersions$", false,
	},
	{
		"the ID of a secret's first version is always the same", "awssm/successor.go",
		"c := candidate{encoded, base, newVersion(), value}", "c := candidate{encoded, base, successor(base), value}",
		onAWS + "TestFirstVersions$", false,
	},
	{
		"equal data of two writers are one write", "awssm/stored.go",
		"object.Set(nonceField, rand.Text())", "object.Set(nonceField, rand.Text()[:0]+\"x\")",
		onAWS + "TestLosersLeaveNoVersions$", false,
	},
	{
		"a reader sees the nonce", "awssm/stored.go",
		"\t\treturn value\n\t}\n\tobject.SetPrefix(driver.Reserved, nil)\n", "\t\treturn value\n\t}\n",
		onAWS + "TestNonce$", false,
	},
	{
		"a deletion's mark has no nonce", "awssm/delete.go",
		"return sign(mark)", "return mark.Encode()",
		onAWS + "TestMarksWithAndWithoutANonce$", false,
	},
	{
		"a writer that is about to move AWSCURRENT is not waited for", "awssm/successor.go",
		"case look < patience:", "case look < 1:",
		onAWS + "TestSlowMoveIsWaitedFor$", false,
	},
	{
		"a dead writer's version blocks its base", "awssm/successor.go",
		"\t\tdefault:\n\t\t\treturn nil\n", "\t\tdefault:\n\t\t\treturn taken\n",
		onAWS + "TestWriterDiesBeforeTheMove$", false,
	},
	{
		"a dead writer's version is made current", "awssm/successor.go",
		"\tc.id = newVersion()\n\treturn c.id, s.replaceBy(ctx, c)", "\treturn c.id, s.promote(ctx, c)",
		onAWS + "TestWriterDiesBeforeTheMove$", false,
	},
	{
		"a version that is current again counts as replaced", "awssm/successor.go",
		"return d.current != base && (", "return (",
		onAWS + "TestWritesAfterARollback$", false,
	},
	{
		"a base that was replaced long ago is waited for", "awssm/successor.go",
		"d.current != base && s.isNewer(ctx, encoded, base)", "d.current != base && false && s.isNewer(ctx, encoded, base)",
		onAWS + "TestReplacedRevisionIsRefusedAtOnce$", false,
	},
	{
		"after a lost reply another's version is taken for one's own", "awssm/successor.go",
		"case rf == nil && bytes.Equal(v.data, c.value):", "case rf == nil && v.id != \"\":",
		onAWS + "TestRepliesLostAtEachCall$", false,
	},
	{
		"a version's value is not confirmed after the move", "awssm/successor.go",
		"f == nil && !bytes.Equal(v.data, c.value)", "f == nil && v.id == \"\"",
		onAWS + "TestServiceThatAcceptsSimultaneousPuts$", false,
	},
	{
		"a version that another writer made current is not one's own", "awssm/successor.go",
		"f == nil && v.id == c.id && bytes.Equal(v.data, c.value)", "f == nil && v.id == \"\"",
		onAWS + "TestServiceThatAcceptsSimultaneousPuts$", false,
	},
	{
		"a restore that was lost counts as made", "awssm/reclaim.go",
		"\t\tcase now.deleted:\n", "\t\tcase now.deleted && false:\n",
		"./awssm TestLostRestoreHidesNoToken", false,
	},
	{
		"a server that is not Secrets Manager makes an argument invalid", "awssm/call.go",
		"if foreignCodes[api.ErrorCode()] ||", "if false &&",
		onAWS + "TestCommonErrors$", false,
	},
	{
		"a token that a person has scheduled for deletion is not undeleted", "awssm/recover.go",
		"case d.previous == \"\" && d.deleted && d.current != \"\":", "case d.previous == \"\" && d.deleted && d.current == \"\":",
		onAWS + "TestUndeleteAfterTheConsole$", false,
	},
	{
		"a token that a person has scheduled for deletion comes back without its keys", "secretstore/undelete.go",
		"p.claims, p.mends = a.s.keys(lifted.token), true", "p.mends = true",
		onAWS + "TestUndeleteAfterTheConsole$", false,
	},
	{
		"a token that comes back is a second one of its user", "secretstore/undelete.go",
		"there, err = a.another(ctx, p, lifted); there || err != nil", "_, err = a.another(ctx, p, lifted); err != nil",
		onAWS + "TestUndeleteAfterTheConsoleAndALogin$", false,
	},
	{
		"a token that is refused stays where the service has brought it back", "secretstore/undelete.go",
		"case errors.Is(err, errStored):", "case err == nil:",
		onAWS + "TestUndeleteAfterTheConsoleAndALogin$", false,
	},
}
