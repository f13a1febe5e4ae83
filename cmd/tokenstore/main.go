// Command tokenstore shows, moves and changes the OAuth tokens of a store. All that it does
// is in package command; a program with other stores needs nothing but other imports.
package main

import (
	"os"

	_ "example.com/tokenstore/awssm"
	"example.com/tokenstore/command"
	_ "example.com/tokenstore/filestore"
	_ "example.com/tokenstore/gcpsm"
	_ "example.com/tokenstore/sqlstore"
	_ "example.com/tokenstore/vault"
)

func main() { os.Exit(command.Command{}.Main()) }
