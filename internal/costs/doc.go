// Package costs counts the calls that a refresh makes on each service, for
// docs/tokensource.md. It is only a test, and apart from package tokensource because it needs
// all adapters.
package costs
