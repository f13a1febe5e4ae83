// The room that stored data has for releases to come.

package driver

import "fmt"

// FormField is the field by which a later release marks data that this one would
// misread: a token, a tombstone, or a secret of the index. This release writes none,
// and refuses data that has one. Fields that an older release may pass over need no
// such mark: it keeps those that it does not know.
const FormField = "form"

// CheckForm returns an error that matches [ErrUnreadable] and names the form if the
// object is of one that this release does not know.
func (o Object) CheckForm() error {
	if !o.Has(FormField) {
		return nil
	}
	switch form, err := o.Text(FormField); {
	case err == nil && form == "":
		return nil
	case err == nil && isLabel(form):
		return fmt.Errorf("%w: it has the form %q of a later release; upgrade this program", ErrUnreadable, form)
	}
	return fmt.Errorf("%w: its field %q names a form that this release does not know; upgrade this program", ErrUnreadable, FormField)
}

// isLabel reports whether text is short and plain, as a form's name is. Anything
// else may be what a person pasted there, and is not shown.
func isLabel(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(text) <= 16
}
