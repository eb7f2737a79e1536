package baton

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// readExit reads what a message of the kind "exit" says: {"actor": "shop/1", "reason": "shutdown"}, an object of texts.
// It is here so that a plugin that takes no JSON otherwise need not carry encoding/json for it.
func readExit(data []byte) (actor, reason string, ok bool) {
	s := scanner{data}
	if !utf8.Valid(data) || !s.take('{') {
		return "", "", false
	}
	var hasActor, hasReason bool
	for first := true; !s.take('}'); first = false {
		if !first && !s.take(',') {
			return "", "", false
		}
		name, fine := s.text()
		if !fine || !s.take(':') {
			return "", "", false
		}
		value, fine := s.text()
		if !fine {
			return "", "", false
		}
		switch name {
		case "actor":
			actor, hasActor = value, true
		case "reason":
			reason, hasReason = value, true
		}
	}
	s.space()
	return actor, reason, hasActor && hasReason && len(s.rest) == 0
}

type scanner struct{ rest []byte }

func (s *scanner) space() {
	for len(s.rest) > 0 && (s.rest[0] == ' ' || s.rest[0] == '\t' || s.rest[0] == '\r' || s.rest[0] == '\n') {
		s.rest = s.rest[1:]
	}
}

// take takes one character, after space.
func (s *scanner) take(c byte) bool {
	s.space()
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// text takes a text in quotes.
func (s *scanner) text() (string, bool) {
	if !s.take('"') {
		return "", false
	}
	var out []byte
	for len(s.rest) > 0 {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch {
		case c == '"':
			return string(out), true
		case c < ' ':
			return "", false
		case c != '\\':
			out = append(out, c)
		default:
			r, fine := s.escape()
			if !fine {
				return "", false
			}
			out = utf8.AppendRune(out, r)
		}
	}
	return "", false
}

// escape takes what follows a backslash.
func (s *scanner) escape() (rune, bool) {
	if len(s.rest) == 0 {
		return 0, false
	}
	c := s.rest[0]
	s.rest = s.rest[1:]
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return s.unicode()
	}
	return 0, false
}

func (s *scanner) unicode() (rune, bool) {
	high, ok := s.hex()
	if !ok || !utf16.IsSurrogate(high) {
		return high, ok
	}
	if len(s.rest) >= 2 && s.rest[0] == '\\' && s.rest[1] == 'u' {
		before := s.rest
		s.rest = s.rest[2:]
		if low, ok := s.hex(); ok {
			if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
				return r, true
			}
		}
		s.rest = before
	}
	return utf8.RuneError, true // half a pair
}

func (s *scanner) hex() (rune, bool) {
	if len(s.rest) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.rest[:4]), 16, 16)
	s.rest = s.rest[4:]
	return rune(n), err == nil
}
