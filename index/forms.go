// Which form of index a secret belongs to, by its name. The two forms do not know each
// other's secrets: under one prefix they hide tokens from each other.

package index

// RootName is the name, below the index's prefix, of the secret that every index of
// documents has.
const RootName = rootName

// The forms of an index, as [FormOf] names them.
const (
	EntriesForm  = "entries"
	DocumentForm = "document"
)

// FormOf returns the form of index to which the secret with this name, without the
// index's prefix, belongs: "" if to none.
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
