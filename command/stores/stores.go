// Package stores brings the stores of this project to the command: programs that are built on
// package command import it for its side effects. The stores are opened by their URLs, and
// policies are printed for them, which programs that only use a store do not link.
package stores

import (
	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/filestore"
	"example.com/tokenstore/gcpsm"
	"example.com/tokenstore/sqlstore"
	"example.com/tokenstore/vault"
)

func init() {
	for scheme, policy := range map[string]tokenstore.PolicyFunc{
		"awssm": awssm.Policy, "gcpsm": gcpsm.Policy, "vault": vault.Policy,
		filestore.Scheme: filestore.Policy, "sqlite": sqlstore.Policy, "mysql": sqlstore.Policy, "mariadb": sqlstore.Policy,
	} {
		tokenstore.RegisterPolicy(scheme, policy)
	}
}
