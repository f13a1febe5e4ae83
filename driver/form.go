// A mark for forms that later releases may store, so that this release rejects them by
// name and never misreads them.

package driver

import "fmt"

// FormField is the field with which a later release marks data that this one would
// misread: a token, a tombstone, or a secret of the index. This release never writes
// it, and rejects data that has it. Fields that an older release may safely ignore need
// no mark, because it keeps unknown fields.
const FormField = "form"

// CheckForm returns an error that matches [ErrUnreadable] and names the form if the
// object has a form that this release does not know.
func (o Object) CheckForm() error {
	if !o.Has(FormField) {
		return nil
	}
	switch form, err := o.Text(FormField); {
	case err == nil && form == "":
		return nil
	case err == nil && isLabel(form):
		return fmt.Errorf("%w: the form %q is of a later release; upgrade this program", ErrUnreadable, form)
	}
	return fmt.Errorf("%w: field %q names a form that this release does not know; upgrade this program", ErrUnreadable, FormField)
}

// isLabel reports whether text is short and plain, as the name of a form is. Anything
// else may be something a person pasted there, and is not shown.
func isLabel(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(text) <= 16
}
