package conformance

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/driver"
)

// desk has the secrets that a person has edited so that they are no longer rows of the
// reference, by ID.
type desk struct{ secrets map[string]written }

// written is a secret as a person has written it.
type written struct {
	text     string
	stranger bool
	was      token // the row that it was
	put      token // the fields that it has now
	odd      bool  // its expiry cannot be understood
}

// handling says how a wrong store treats a person's edits.
type handling struct {
	damageIsForeign  bool // a damaged secret counts as foreign
	damageIsSilent   bool // a list does not report a damaged secret
	damageStays      bool // a delete leaves a damaged secret
	damageStaysInAll bool // a delete of all leaves it
	editIsDropped    bool // a save of a damaged secret drops its fields
	strangerIsOurs   bool // a delete of all deletes foreign secrets
	pasteIsForeign   bool // an object without id and bookkeeping is foreign
	copyIsToken      bool // the id in a secret does not matter
	expiryIsDamage   bool // an expiry that cannot be parsed damages the token
}

func (d *data) personReads(id string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s, ok := d.secrets[id]; ok {
		return []byte(s.text), nil
	}
	r, ok, _ := d.ByID(id)
	if !ok {
		return nil, tokenstore.ErrNotFound
	}
	data, err := tokenstore.EncodeToken(r)
	if note := d.notes[id]; err == nil && note != "" {
		var object driver.Object
		if object, err = driver.DecodeObject(data); err == nil {
			object.Set("note", note)
			data = object.Encode()
		}
	}
	return data, err
}

func (d *data) personWrites(id string, text []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := written{text: string(text), was: d.secrets[id].was}
	place := slices.IndexFunc(d.rows, func(r token) bool { return r.ID == id })
	if place >= 0 {
		s.was = d.rows[place]
		d.rows = slices.Delete(d.rows, place, place+1)
	}
	live := d.readWritten(id, &s)
	if !live {
		if d.secrets == nil {
			d.secrets = map[string]written{}
		}
		d.secrets[id] = s
		return nil
	}
	delete(d.secrets, id)
	d.rows = slices.Insert(d.rows, max(0, place), s.put)
	if d.odd == nil {
		d.odd = map[string]bool{}
	}
	d.odd[id] = s.odd
	object, err := driver.DecodeObject(text)
	if err != nil {
		return err
	}
	note, _ := object.Text("note") // Anything but a string is no note.
	return d.SetNote(s.put, note)
}

// readWritten parses a secret that a person has written, and reports whether it is a row.
func (d *data) readWritten(id string, s *written) (live bool) {
	known := s.was.ID != ""
	var fields map[string]any
	if json.Unmarshal([]byte(s.text), &fields) != nil {
		s.stranger = !known || d.wrongs.damageIsForeign
		return false
	}
	if expiry, _ := fields["expiry_time"].(string); strings.Trim(expiry, "0123456789") != "" {
		if d.wrongs.expiryIsDamage {
			return false
		}
		delete(fields, "expiry_time")
		s.odd = true
	}
	lenient, err := json.Marshal(fields)
	if err != nil {
		return false
	}
	if s.put, err = tokenstore.DecodeToken(lenient); err != nil {
		return false
	}
	named := s.put.ID
	s.put.ID = id
	switch {
	case named == "" && (!known || d.wrongs.pasteIsForeign):
		s.stranger = true
		return false
	case named != "" && named != id && !d.wrongs.copyIsToken, named == "" && s.put.UserName != s.was.UserName:
		s.stranger = d.wrongs.damageIsForeign
		return false
	}
	return true
}

// damagedFor reports whether a find reads a damaged secret.
func (d *data) damagedFor(query token) bool {
	for id, s := range d.secrets {
		if s.stranger {
			continue
		}
		if id == query.ID {
			return true
		}
		for _, k := range tokenstore.FindKeys(query) {
			if _, found, _ := d.ByKey(k, false); !found && tokenstore.Holds(s.was, k) {
				return true
			}
		}
	}
	return false
}

// mend repairs the damaged secret of a token.
func (d *data) mend(t token) (token, bool) {
	for id, s := range d.secrets {
		if s.stranger || t.UserName == "" || s.was.UserName != t.UserName {
			continue
		}
		if d.wrongs.editIsDropped {
			s.put = token{}
		}
		row := tokenstore.Update(s.put, t)
		row.ID = id
		delete(d.secrets, id)
		return row, d.Insert(row) == nil
	}
	return token{}, false
}

// bury deletes a damaged secret.
func (d *data) bury(id string) {
	if s, ok := d.secrets[id]; ok && !s.stranger && !d.wrongs.damageStays {
		delete(d.secrets, id)
	}
}

func (d *data) buryAll() {
	for id, s := range d.secrets {
		if s.stranger && d.wrongs.strangerIsOurs || !s.stranger && !d.wrongs.damageStaysInAll {
			delete(d.secrets, id)
		}
	}
}

// unreadable is the error of a list that meets damaged secrets.
func (d *data) unreadable() error {
	var faults []error
	for _, s := range d.secrets {
		if !s.stranger && !d.wrongs.damageIsSilent {
			faults = append(faults, tokenstore.ErrUnreadable)
		}
	}
	return errors.Join(faults...)
}
