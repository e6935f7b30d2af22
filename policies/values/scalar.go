package values

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// scalar is a resolved plain scalar.
type scalar struct {
	kind Kind
	num  float64
	text string
	// key is the scalar as a map key, as the conversion of YAML to JSON in
	// sigs.k8s.io/yaml writes it; keyless scalars are refused as keys there.
	key     string
	keyless bool
}

// resolvePlain gives a plain scalar without tag the meaning it has for Helm,
// which reads YAML 1.1 through sigs.k8s.io/yaml: "yes" and "on" are booleans,
// "0777" is octal, "1_000" a number, a date stays a string. The rules are those
// of resolve.go and decode.go of go.yaml.in/yaml/v2.
func resolvePlain(in string) scalar {
	if in == "" {
		return scalar{kind: Null, keyless: true}
	}
	switch c := in[0]; {
	case c == '.':
		return resolveDot(in)
	case c == '+' || c == '-' || c >= '0' && c <= '9':
		return resolveDigits(in)
	case strings.IndexByte("yYnNtTfFoO~", c) >= 0 && len(in) <= len("false"):
		return resolveWord(in)
	}
	return scalar{kind: String, text: in, key: in}
}

func resolveWord(in string) scalar {
	switch in {
	case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return scalar{kind: Bool, num: 1, key: "true"}
	case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return scalar{kind: Bool, key: "false"}
	case "~", "null", "Null", "NULL":
		return scalar{kind: Null, keyless: true}
	}
	return scalar{kind: String, text: in, key: in}
}

func resolveDot(in string) scalar {
	switch in {
	case ".nan", ".NaN", ".NAN":
		return float(math.NaN())
	case ".inf", ".Inf", ".INF":
		return float(math.Inf(1))
	}
	// ParseFloat alone decides here, so that underscores are no part of it.
	if f, err := strconv.ParseFloat(in, 64); err == nil {
		return float(f)
	}
	return scalar{kind: String, text: in, key: in}
}

var floatForm = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)

func resolveDigits(in string) scalar {
	switch in {
	case "+.inf", "+.Inf", "+.INF":
		return float(math.Inf(1))
	case "-.inf", "-.Inf", "-.INF":
		return float(math.Inf(-1))
	}
	if isTimestamp(in) {
		return scalar{kind: String, text: in, key: in}
	}
	digits := strings.ReplaceAll(in, "_", "")
	if i, err := strconv.ParseInt(digits, 0, 64); err == nil {
		return integer(i)
	}
	if u, err := strconv.ParseUint(digits, 0, 64); err == nil {
		return scalar{kind: Number, num: float64(u), keyless: true}
	}
	if floatForm.MatchString(digits) {
		if f, err := strconv.ParseFloat(digits, 64); err == nil {
			return float(f)
		}
	}
	return resolveBinary(in, digits)
}

// resolveBinary takes the sign after "0b" that the integers above refuse.
func resolveBinary(in, digits string) scalar {
	if rest, ok := strings.CutPrefix(digits, "0b"); ok {
		if i, err := strconv.ParseInt(rest, 2, 64); err == nil {
			return integer(i)
		}
		if u, err := strconv.ParseUint(rest, 2, 64); err == nil {
			return scalar{kind: Number, num: float64(u), keyless: true}
		}
	}
	return scalar{kind: String, text: in, key: in}
}

func integer(i int64) scalar {
	return scalar{kind: Number, num: float64(i), key: strconv.FormatInt(i, 10)}
}

// float writes its key with 32 bits of precision, as sigs.k8s.io/yaml does.
func float(f float64) scalar {
	s := strconv.FormatFloat(f, 'g', -1, 32)
	switch s {
	case "+Inf":
		s = ".inf"
	case "-Inf":
		s = "-.inf"
	case "NaN":
		s = ".nan"
	}
	return scalar{kind: Number, num: f, key: s}
}

// isTimestamp reports whether s is a date, which Helm keeps as a string.
func isTimestamp(s string) bool {
	if len(s) < len("2006-1-2") || s[4] != '-' {
		return false
	}
	for i := range 4 {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	for _, layout := range [...]string{
		"2006-1-2T15:4:5.999999999Z07:00", "2006-1-2t15:4:5.999999999Z07:00",
		"2006-1-2 15:4:5.999999999", "2006-1-2",
	} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}
