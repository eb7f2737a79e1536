package baton

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// misfit says what a state that was read would be written with, and was not: a field that is missing, a null in place of a
// value. encoding/json makes zeros of both. Whoever wrote the bytes had another layout.
func misfit(state any, data []byte) string {
	again, err := encodeJSON(state)
	if err != nil {
		return "what was read cannot be written: " + err.Error()
	}
	if bytes.Equal(again, data) {
		return "" // as it is with what the plugin wrote itself
	}
	var want, have any
	if json.Unmarshal(again, &want) != nil || json.Unmarshal(data, &have) != nil {
		return "" // they were read before, so this does not happen
	}
	return missing(want, have, "")
}

// missing looks for the first place where want has something and have nothing.
func missing(want, have any, path string) string {
	if have == nil && want != nil {
		return "null" + at(path) + ", where a value is due"
	}
	switch want := want.(type) {
	case map[string]any:
		object, ok := have.(map[string]any)
		if !ok {
			return "" // a type of its own that reads another form
		}
		for _, name := range sortedKeys(want) {
			inner, there := object[name]
			if !there {
				return "field " + quote(name) + at(path) + " is missing"
			}
			if why := missing(want[name], inner, join(path, name)); why != "" {
				return why
			}
		}
	case []any:
		list, ok := have.([]any)
		for i := 0; ok && i < min(len(want), len(list)); i++ {
			if why := missing(want[i], list[i], join(path, strconv.Itoa(i))); why != "" {
				return why
			}
		}
	}
	return ""
}

func at(path string) string {
	if path == "" {
		return ""
	}
	return " in " + quote(path)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
