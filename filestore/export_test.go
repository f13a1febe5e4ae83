package filestore

import "example.com/tokenstore"

// Rewritten returns the bytes of a file as they would be written if nothing
// changed.
func Rewritten(data []byte) []byte { return parse(data).bytes() }

// RewrittenAnew returns the file with every row encoded anew.
func RewrittenAnew(data []byte) ([]byte, error) {
	doc := parse(data).clone()
	upgrade := config{upgrade: true}
	if err := doc.ready(upgrade); err != nil {
		return nil, err
	}
	for i, r := range doc.records {
		if r.kind != rowLine {
			continue
		}
		body, err := doc.encode(r.token, tokenstore.OAuthToken{}, nil, doc.quotes(upgrade))
		if err != nil {
			return nil, err
		}
		changed := *r
		changed.body = body
		doc.records[i] = &changed
	}
	return doc.bytes(), nil
}
