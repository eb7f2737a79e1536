package baton

import (
	"reflect"
	"strconv"
)

// Log writes to the host's log: a message, and what is known about it as names and values in turn.
//
//	cx.Log(baton.LevelInfo, "delayed", "airport", code, "minutes", 12)
func (cx *Cx) Log(level Level, message string, fields ...any) {
	cx.host.Log(level, message, logFields(fields))
}

// Trace writes to the host's log at the level trace.
func (cx *Cx) Trace(message string, fields ...any) { cx.Log(LevelTrace, message, fields...) }

// Debug writes to the host's log at the level debug.
func (cx *Cx) Debug(message string, fields ...any) { cx.Log(LevelDebug, message, fields...) }

// Info writes to the host's log at the level info.
func (cx *Cx) Info(message string, fields ...any) { cx.Log(LevelInfo, message, fields...) }

// Warn writes to the host's log at the level warn.
func (cx *Cx) Warn(message string, fields ...any) { cx.Log(LevelWarn, message, fields...) }

// Error writes to the host's log at the level error.
func (cx *Cx) Error(message string, fields ...any) { cx.Log(LevelError, message, fields...) }

// logFields pairs names with values. A value without a name keeps its place, as it does in log/slog.
func logFields(values []any) []Field {
	fields := make([]Field, 0, (len(values)+1)/2)
	for i := 0; i < len(values); i++ {
		name, ok := values[i].(string)
		if !ok || i+1 == len(values) {
			fields = append(fields, Field{"!BADKEY", text(values[i])})
			continue
		}
		i++
		fields = append(fields, Field{name, text(values[i])})
	}
	return fields
}

// text is a value as a log shows it. Package fmt would do it too, for half a megabyte.
func text(value any) string {
	switch v := value.(type) {
	case nil:
		return "nil"
	case string:
		return v
	case error:
		return v.Error()
	case interface{ String() string }:
		return v.String()
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return strconv.FormatUint(v.Uint(), 10)
	case reflect.Float32:
		return strconv.FormatFloat(v.Float(), 'g', -1, 32)
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case reflect.String:
		return v.String()
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return strconv.Quote(string(v.Bytes()))
		}
	case reflect.Pointer:
		if v.IsNil() {
			return "nil"
		}
		return text(v.Elem().Interface())
	}
	return "(" + reflect.TypeOf(value).String() + ")"
}
