// Which form of index a secret belongs to, by its name. Neither form reads the other's
// secrets, so stores that use different forms under one prefix hide tokens from each
// other; callers use this to detect it.

package index

// RootName is the name, below the index's prefix, of the root of a document index.
const RootName = rootName

// The forms of an index, as [FormOf] names them.
const (
	EntriesForm  = "entries"
	DocumentForm = "document"
)

// FormOf returns the form of index to which a secret belongs, by its name without the
// index's prefix; "" if it belongs to none.
func FormOf(name string) string {
	switch {
	case name == rootName:
		return DocumentForm
	case checkHash(name, HashLen) == nil:
		return EntriesForm
	}
	if _, ok := (&Document{}).epochOf(name); ok {
		return DocumentForm
	}
	return ""
}
