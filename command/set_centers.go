// In which data centres set --client sets a field. One client of Zoho serves all of them, and
// can have another secret in each: the new secret of one is wrong in the tokens of another.

package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/zoho"
	"github.com/spf13/cobra"
)

// dataCenters is a flag, and the data centres of the tokens that were seen.
type dataCenters struct {
	name string
	only zoho.DataCenter
	seen []string
}

// allCenters is the flag's value for every data centre.
const allCenters = "all"

func (d *dataCenters) flags(verb *cobra.Command) {
	verb.Flags().StringVar(&d.name, "data-center", "", "with --client: only tokens of this Zoho data centre, such as `eu`, or all")
}

// check reads the flag.
func (d *dataCenters) check(verb *cobra.Command, client string) error {
	if !verb.Flags().Changed("data-center") {
		return nil
	}
	if client == "" {
		return &usageError{errors.New("--data-center selects among the tokens of a client: give it with --client")}
	}
	if d.name == allCenters {
		return nil
	}
	var err error
	if d.only, err = zoho.ByLocation(d.name); err != nil {
		return &usageError{fmt.Errorf("unknown data centre; they are %v, or %s", zoho.DataCenters(), allCenters)}
	}
	return nil
}

// has reports whether a token of the client is one of those that are wanted.
func (d *dataCenters) has(token tokenstore.OAuthToken) bool {
	center, err := zoho.ByAPIDomain(token.APIDomain)
	if err != nil { // It is not known, or not Zoho's.
		return d.only == ""
	}
	if !slices.Contains(d.seen, string(center)) {
		d.seen = append(d.seen, string(center))
	}
	return d.only == "" || d.only == center
}

// tell returns an error if a field that differs from one data centre to another would be set
// in several, and nobody has said so.
func (d *dataCenters) tell(f field) error {
	if d.name != "" || len(d.seen) < 2 || f.name != "client_secret" && f.name != "api_domain" {
		return nil
	}
	slices.Sort(d.seen)
	return &usageError{fmt.Errorf("the tokens of this client are in several data centres, in each of which the %s can be another one: "+
		"pass --data-center %s, or --data-center %s", f.name, strings.Join(d.seen, ", --data-center "), allCenters)}
}

// and continues the words of an error with the data centre that was asked for.
func (d *dataCenters) and() string {
	if d.only == "" {
		return ""
	}
	return " and is of that data centre"
}
