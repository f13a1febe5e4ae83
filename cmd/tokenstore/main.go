// Command tokenstore shows, moves and changes the OAuth tokens of a store. All that it does
// is in package command; a program with other stores needs nothing but other imports.
package main

import (
	"os"

	"example.com/tokenstore/command"
	_ "example.com/tokenstore/command/stores"
)

func main() { os.Exit(command.Command{}.Main()) }
