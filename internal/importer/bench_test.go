package importer_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/filestore"
	"example.com/tokenstore/internal/importer"
	"example.com/tokenstore/sqlstore"
)

// BenchmarkImport moves 10,000 rows from a token file into an empty SQLite file, and looks for
// them again.
func BenchmarkImport(b *testing.B) {
	const n = 10_000
	folder := b.TempDir()
	source, err := filestore.Open(filepath.Join(folder, "tokens.txt"))
	if err != nil {
		b.Fatal(err)
	}
	tokens := make([]tokenstore.OAuthToken, n)
	for i := range tokens {
		tokens[i] = counted(i + 1)
		tokens[i].ClientID, tokens[i].ClientSecret, tokens[i].GrantToken = "client", "secret", fmt.Sprint("grant-", i)
	}
	if _, err := source.SaveTokens(b.Context(), tokens); err != nil {
		b.Fatal(err)
	}
	for name, open := range map[string]func(ctx context.Context, path string) (tokenstore.OpenStore, error){
		"sqlite": func(ctx context.Context, path string) (tokenstore.OpenStore, error) {
			return sqlstore.OpenSQLite(ctx, path)
		},
		"file": func(_ context.Context, path string) (tokenstore.OpenStore, error) { return filestore.Open(path) },
	} {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				destination, err := open(b.Context(), filepath.Join(folder, fmt.Sprint(name, i)))
				if err != nil {
					b.Fatal(err)
				}
				report, err := importer.Import(b.Context(), source, destination, importer.Options{})
				if err != nil || !report.Complete() || report.Count(importer.Created) != n {
					b.Fatal(report, err)
				}
				if err := destination.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
