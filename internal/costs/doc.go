// Package costs has the services' list prices. Its test counts the calls that a refresh makes on
// each service, for docs/tokensource.md; it is apart from package tokensource because it needs all
// adapters.
package costs
