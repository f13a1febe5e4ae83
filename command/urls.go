// The URLs of stores. Which there are, the packages of the stores say: the command
// names none of them.

package command

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

// storeURLs returns the forms of a store's URL, each with what it opens, aligned.
func storeURLs() []string {
	width := 0
	for _, u := range tokenstore.Usages() {
		width = max(width, len(u.Example))
	}
	var lines []string
	for _, u := range tokenstore.Usages() {
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%-*s  %s", width, u.Example, u.About), " "))
	}
	return lines
}

// usageOf returns the description of a URL's scheme, if it is registered.
func usageOf(rawURL string) (tokenstore.Usage, bool) {
	scheme, _, ok := strings.Cut(rawURL, ":")
	for _, u := range tokenstore.Usages() {
		if ok && u.Scheme == strings.ToLower(scheme) {
			return u, true
		}
	}
	return tokenstore.Usage{}, false
}

// checkScheme tells a person who gave a file's name that a store is named by a URL.
func checkScheme(rawURL string) error {
	if _, ok := usageOf(rawURL); ok {
		return nil
	}
	var examples []string
	for _, u := range tokenstore.Usages() {
		examples = append(examples, u.Example)
	}
	return &usageError{errors.New("a store is named by a URL: " + strings.Join(examples, ", "))}
}

const readOnlyParam = "readonly"

// readOnly adds to a URL that nothing may be created or changed by opening it, if its
// kind of store would.
func readOnly(source string) string {
	u, err := url.Parse(source)
	if usage, ok := usageOf(source); err != nil || !ok || !usage.ReadOnly {
		return source // Opening it reports what is wrong with it.
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(query[readOnlyParam]) > 1 {
		return source
	}
	if _, err := strconv.ParseBool(query.Get(readOnlyParam)); err != nil && query.Has(readOnlyParam) {
		return source
	}
	query.Set(readOnlyParam, "true")
	u.RawQuery = query.Encode()
	return u.String()
}

// completeStore completes the scheme of a store's URL. What follows it is the
// store's own.
func completeStore(_ *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeURL(nil, nil, typed)
}

// completeURL is completeStore for a flag.
func completeURL(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var schemes []cobra.Completion
	for _, u := range tokenstore.Usages() {
		scheme := u.Scheme + ":"
		if strings.HasPrefix(u.Example, scheme+"//") {
			scheme += "//"
		}
		if strings.HasPrefix(scheme, typed) {
			schemes = append(schemes, cobra.CompletionWithDesc(scheme, u.About))
		}
	}
	return schemes, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}
