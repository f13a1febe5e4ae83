// As whom the adapter acts.

package vault

import (
	"context"
	"encoding/json"
	"net/http"

	"example.com/tokenstore/driver"
)

var _ driver.Identifier = (*secrets)(nil)

// Identity returns the display name of the token, such as kubernetes-app, which Vault's
// default policy lets every token look up.
func (s *secrets) Identity(ctx context.Context) (string, error) {
	const op = "look up the token"
	r, err := s.link.do(ctx, call{op: op, method: http.MethodGet, path: "auth/token/lookup-self"})
	if err != nil {
		return "", err
	}
	var self struct {
		Data struct {
			Name string `json:"display_name"`
		} `json:"data"`
	}
	if r.status != http.StatusOK || json.Unmarshal(r.body, &self) != nil {
		return "", unusable(op)
	}
	return self.Data.Name, nil
}
