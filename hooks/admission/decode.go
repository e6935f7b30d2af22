package admission

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tidwall/gjson"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// MaxReview is how long an AdmissionReview may be, in bytes: an object and
	// the one before it, each at most what an API server keeps.
	MaxReview = 3 << 20
	// maxDepth is how deep its maps and lists may nest.
	maxDepth = 1000
)

// Operation is what is done to the object.
type Operation string

// The operations that are decided about; every other one is let through.
const (
	Create Operation = "CREATE"
	Update Operation = "UPDATE"
)

// Request is what an API server asks.
type Request struct {
	UID             types.UID
	Operation       Operation
	Kind            schema.GroupVersionKind
	Namespace, Name string
	SubResource     string
	// User is who wants the change.
	User   string
	DryRun bool
	// Object is JSON as it is to be, Old as it is; "" for none.
	Object, Old string
	// decoded is true when both are known to be well-formed.
	decoded bool
}

// Decode reads an AdmissionReview of admission.k8s.io/v1 and nothing else.
// Fields are known by their exact names, and none may be there twice; fields
// that newer API servers add are left alone. The objects are only looked
// into where a guard leads.
func Decode(body []byte) (*Request, error) {
	text := string(body)
	if err := wellFormed(text); err != nil {
		return nil, fmt.Errorf("decode review: %w", err)
	}
	m := &members{}
	top := m.of("the review", gjson.Parse(text))
	apiVersion, kind := m.text(top, "apiVersion"), m.text(top, "kind")
	if m.err == nil && (apiVersion != admissionv1.SchemeGroupVersion.String() || kind != "AdmissionReview") {
		return nil, fmt.Errorf("decode review: expected an AdmissionReview of %s, found %.80q of %.80q", admissionv1.SchemeGroupVersion, kind, apiVersion)
	}
	in := m.of("request", top["request"])
	gvk, user := m.of("request.kind", in["kind"]), m.of("request.userInfo", in["userInfo"])
	r := &Request{
		UID: types.UID(m.text(in, "uid")), Operation: Operation(m.text(in, "operation")),
		Kind:      schema.GroupVersionKind{Group: m.text(gvk, "group"), Version: m.text(gvk, "version"), Kind: m.text(gvk, "kind")},
		Namespace: m.text(in, "namespace"), Name: m.text(in, "name"), SubResource: m.text(in, "subResource"),
		User: m.text(user, "username"), DryRun: in["dryRun"].Type == gjson.True,
		Object: raw(in["object"]), Old: raw(in["oldObject"]), decoded: true,
	}
	if m.err == nil && (r.UID == "" || r.Operation == "" || r.Kind.Kind == "") {
		m.err = errors.New("expected a request with uid, kind and operation, found one without")
	}
	if m.err != nil {
		return nil, fmt.Errorf("decode review: %w", m.err)
	}
	return r, nil
}

// wellFormed refuses what is no JSON, and what is too long or too deep to look
// into.
func wellFormed(body string) error {
	if len(body) > MaxReview {
		return fmt.Errorf("%d bytes, over the limit of %d", len(body), MaxReview)
	}
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("maps and lists nested deeper than the limit of %d", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	if !gjson.Valid(body) {
		return errors.New("expected JSON, found something else")
	}
	return nil
}

// members takes maps apart and remembers the first mistake.
type members struct{ err error }

// of are the fields of a map; nothing, for what is not there or null.
func (m *members) of(what string, v gjson.Result) map[string]gjson.Result {
	if !v.Exists() || v.Type == gjson.Null || m.err != nil {
		return nil
	}
	if !v.IsObject() {
		m.err = fmt.Errorf("%s: expected a map", what)
		return nil
	}
	out := map[string]gjson.Result{}
	v.ForEach(func(key, value gjson.Result) bool {
		if _, twice := out[key.String()]; twice {
			m.err = fmt.Errorf("%s: field %.80q is there twice", what, key.String())
		}
		out[key.String()] = value
		return m.err == nil
	})
	return out
}

// text is a field that holds text, or is not there.
func (m *members) text(of map[string]gjson.Result, name string) string {
	v, ok := of[name]
	if ok && v.Type != gjson.String && m.err == nil {
		m.err = fmt.Errorf("%s: expected text", name)
	}
	return v.String()
}

// raw is the JSON of a value, "" for none.
func raw(v gjson.Result) string {
	if v.Type == gjson.Null {
		return ""
	}
	return v.Raw
}

// Encode is the answer to the request of that uid.
func Encode(uid types.UID, d Decision) ([]byte, error) {
	answer := &admissionv1.AdmissionResponse{UID: uid, Allowed: d.Allowed}
	if !d.Allowed {
		answer.Result = &metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: d.Message}
	}
	if d.Warning != "" {
		answer.Warnings = []string{d.Warning}
	}
	out, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"}, Response: answer,
	})
	if err != nil {
		return nil, fmt.Errorf("encode review: %w", err)
	}
	return out, nil
}
