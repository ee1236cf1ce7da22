package tlv

// Store is a small set of primitive data objects, kept in the order in which they were first set. Values are not copied: the owner
// of a slice may change it in place (the TVR does so). The zero Store is empty and ready. It is not safe for concurrent use.
type Store struct {
	tags   []Tag
	values [][]byte
}

// Get returns the value of t. An object that is present with length zero is reported as present.
func (s *Store) Get(t Tag) ([]byte, bool) {
	for i, have := range s.tags {
		if have == t {
			return s.values[i], true
		}
	}
	return nil, false
}

// Has tells whether t is present.
func (s *Store) Has(t Tag) bool {
	_, ok := s.Get(t)
	return ok
}

// Set puts or replaces an object.
func (s *Store) Set(t Tag, value []byte) {
	for i, have := range s.tags {
		if have == t {
			s.values[i] = value
			return
		}
	}
	s.tags = append(s.tags, t)
	s.values = append(s.values, value)
}

// Add puts an object and reports false, changing nothing, when it is there already.
func (s *Store) Add(t Tag, value []byte) bool {
	if s.Has(t) {
		return false
	}
	s.tags = append(s.tags, t)
	s.values = append(s.values, value)
	return true
}

// Delete removes an object if it is there.
func (s *Store) Delete(t Tag) {
	for i, have := range s.tags {
		if have == t {
			s.tags = append(s.tags[:i], s.tags[i+1:]...)
			s.values = append(s.values[:i], s.values[i+1:]...)
			return
		}
	}
}

// Len is the number of objects.
func (s *Store) Len() int { return len(s.tags) }

// Reset removes all objects and keeps the memory.
func (s *Store) Reset() {
	clear(s.values)
	s.tags, s.values = s.tags[:0], s.values[:0]
}
