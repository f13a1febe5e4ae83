// Package adaptertest has the tests that every adapter on a fake service has. An
// adapter hands over what differs: its world, its names, its URLs, its modules and
// its roles.
package adaptertest
