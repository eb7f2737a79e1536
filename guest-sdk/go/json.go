package baton

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how many lists and objects may lie within each other. encoding/json goes deeper than a guest's stack.
const maxDepth = 128

// checkJSON says why body cannot be read at all; empty: it is one JSON value.
func checkJSON(body []byte) string {
	if !utf8.Valid(body) {
		return "it is not UTF-8"
	}
	if len(bytes.TrimLeft(body, " \t\r\n")) == 0 {
		return "it is empty, where JSON is due"
	}
	if nestsTooDeep(body) {
		return "lists and objects lie more than " + strconv.Itoa(maxDepth) + " deep"
	}
	if json.Valid(body) {
		return ""
	}
	// Unmarshal says what is wrong. A RawMessage takes any JSON.
	var whole json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		return "it is no JSON: " + jsonError(err)
	}
	return "it is no JSON"
}

func nestsTooDeep(body []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

// splitCommand takes "name" or {"name": value} apart. body is JSON, and value nil where there is none.
func splitCommand(body []byte) (name string, value []byte, ok bool) {
	body = bytes.Trim(body, " \t\r\n")
	if body[0] == '"' {
		return name, nil, json.Unmarshal(body, &name) == nil
	}
	if body[0] != '{' {
		return "", nil, false
	}
	rest := bytes.TrimLeft(body[1:], " \t\r\n")
	if rest[0] != '"' {
		return "", nil, false // {}
	}
	end := endOfValue(rest)
	if json.Unmarshal(rest[:end], &name) != nil {
		return "", nil, false
	}
	rest = bytes.TrimLeft(rest[end:], " \t\r\n")
	rest = bytes.TrimLeft(rest[1:], " \t\r\n") // past the colon
	end = endOfValue(rest)
	value = rest[:end]
	// Another name after it would make two commands of one message.
	return name, value, string(bytes.TrimLeft(rest[end:], " \t\r\n")) == "}"
}

// endOfValue is where the value ends that JSON begins with.
func endOfValue(text []byte) int {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
			if !inString && depth == 0 {
				return i + 1
			}
		case inString:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case depth == 0 && (c == ',' || c == ':' || c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			return i
		}
	}
	return len(text)
}

// decodeJSON reads a value that is JSON for sure. It says what is wrong; empty: nothing. A name that has no field is
// refused: where Go leaves a field that is missing at zero, a name that was typed wrong would go unnoticed.
func decodeJSON(value []byte, into any) string {
	kind := reflect.TypeOf(into).Elem()
	if string(bytes.Trim(value, " \t\r\n")) == "null" && !takesNull(kind) {
		return "null where " + kind.String() + " is due"
	}
	var err error
	if kind.Kind() <= reflect.Float64 || kind.Kind() == reflect.String {
		err = json.Unmarshal(value, into) // it has no fields, so save the decoder's copy
	} else {
		decoder := json.NewDecoder(bytes.NewReader(value))
		decoder.DisallowUnknownFields()
		err = decoder.Decode(into)
	}
	if err != nil {
		return jsonError(err)
	}
	return ""
}

// takesNull: encoding/json makes nothing of a null, where serde and others refuse it.
func takesNull(kind reflect.Type) bool {
	switch kind.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	}
	return reflect.PointerTo(kind).Implements(reflect.TypeFor[json.Unmarshaler]())
}

// encodeJSON writes a value, without the escapes that HTML needs.
func encodeJSON(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, errors.New(jsonError(err))
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// readJSON reads a whole text: arguments, or a state.
func readJSON(text []byte, into any) error {
	if why := checkJSON(text); why != "" {
		return errors.New(why)
	}
	if why := decodeJSON(text, into); why != "" {
		return errors.New(why)
	}
	return nil
}

// readReply reads what another actor answered. Names that have no field are fine: actors learn to say more.
func readReply(text []byte, into any) error {
	if why := checkJSON(text); why != "" {
		return errors.New(why)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return errors.New(jsonError(err))
	}
	return nil
}

// jsonError tells an error of encoding/json in our own words.
func jsonError(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		where := ""
		if wrong.Field != "" {
			where = " in " + quote(wrong.Field)
		}
		return wrong.Value + " where " + wrong.Type.String() + " is due" + where
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return syntax.Error() + " at byte " + strconv.FormatInt(syntax.Offset, 10)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "it ends too early"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// quote puts a name into quotes, shortened so that a message never echoes a whole body.
func quote(name string) string {
	const most = 64
	if len(name) > most {
		cut := most
		for !utf8.RuneStart(name[cut]) {
			cut--
		}
		name = name[:cut] + "…"
	}
	return strconv.Quote(name)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
