// Package storedforms keeps what releases have written, and tests that this one
// reads it: stored forms are for ever.
//
// testdata has a folder for each release whose forms differ from those of the
// one before. In it are
//
//   - entries.json, document-1.json, document-16.json and peppered.json: the
//     secrets of an engine with that form of index, by name;
//   - tokens.db: a SQLite file, and tokens.txt: a token file;
//   - backup.jsonl: a backup; backup-recipient.age and backup-passphrase.age: the same,
//     encrypted; backup-key.txt: the private key of the recipient;
//   - NAME.tokens.json beside each: the tokens that are in it, oldest first.
//
// Nothing there is ever changed. A release that writes another form gets a
// folder of its own:
//
//	go test ./internal/storedforms -update v2
package storedforms
