// Package adaptertest has the tests that all adapters with a fake service share. An
// adapter passes in what differs: its world, names, URLs, modules and roles.
package adaptertest
