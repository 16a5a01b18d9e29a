package main

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"
)

// dump turns a value into JSON that shows its Go type: strings, booleans, nil, []any and map[string]any (under
// "m") as they are, everything else in an object that names its type.
func dump(value any) any {
	switch value := value.(type) {
	case nil, bool:
		return value
	case string:
		if utf8.ValidString(value) {
			return value
		}
		return map[string]any{"b": base64.StdEncoding.EncodeToString([]byte(value))}
	case time.Time:
		return map[string]any{"t": value.Format("2006-01-02 15:04:05.999999999 -07:00:00 MST"), "z": value.Location().String()}
	case time.Duration:
		return map[string]any{"d": strconv.FormatInt(int64(value), 10)}
	case *semver.Version:
		if value == nil {
			return map[string]any{"n": "*semver.Version"}
		}
		return map[string]any{"v": value.Original()}
	}
	of := reflect.ValueOf(value)
	name := of.Type().String()
	switch of.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return map[string]any{name: strconv.FormatInt(of.Int(), 10)}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return map[string]any{name: strconv.FormatUint(of.Uint(), 10)}
	case reflect.Float32, reflect.Float64:
		return map[string]any{name: strconv.FormatFloat(of.Float(), 'g', -1, 64)}
	case reflect.Slice:
		if of.IsNil() {
			return map[string]any{"n": name}
		}
		if name == "[]uint8" {
			return map[string]any{name: base64.StdEncoding.EncodeToString(of.Bytes())}
		}
		items := make([]any, of.Len())
		for at := range items {
			items[at] = dump(of.Index(at).Interface())
		}
		if name == "[]interface {}" {
			return items
		}
		return map[string]any{name: items}
	case reflect.Map:
		if of.IsNil() {
			return map[string]any{"n": name}
		}
		members := map[string]any{}
		for _, key := range of.MapKeys() {
			text := key.String()
			if !utf8.ValidString(text) {
				text = "base64:" + base64.StdEncoding.EncodeToString([]byte(text))
			}
			members[text] = dump(of.MapIndex(key).Interface())
		}
		if name == "map[string]interface {}" {
			name = "m"
		}
		return map[string]any{name: members}
	}
	return map[string]any{"?": fmt.Sprintf("%T %v", value, value)}
}
