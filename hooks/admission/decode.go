package admission

import (
	"encoding/json"
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"
)

// MaxReview is how long an AdmissionReview may be, in bytes: an object and the
// one before it, each at most what an API server keeps.
const MaxReview = 3 << 20

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
	// Object is JSON as it is to be, Old as it is.
	Object, Old []byte
}

// Decode reads an AdmissionReview of admission.k8s.io/v1 and nothing else.
// Fields are known by their exact names, and none may be there twice; fields
// that newer API servers add are left alone.
func Decode(body []byte) (*Request, error) {
	if len(body) > MaxReview {
		return nil, fmt.Errorf("decode review: %d bytes, over the limit of %d", len(body), MaxReview)
	}
	var review admissionv1.AdmissionReview
	strict, err := kjson.UnmarshalStrict(body, &review, kjson.DisallowDuplicateFields)
	if err == nil {
		err = errors.Join(strict...)
	}
	if err != nil {
		return nil, fmt.Errorf("decode review: %w", err)
	}
	in := review.Request
	switch {
	case review.APIVersion != admissionv1.SchemeGroupVersion.String() || review.Kind != "AdmissionReview":
		return nil, fmt.Errorf("decode review: expected an AdmissionReview of %s, found %.80q of %.80q",
			admissionv1.SchemeGroupVersion, review.Kind, review.APIVersion)
	case in == nil:
		return nil, errors.New("decode review: expected a request, found none")
	case in.UID == "" || in.Kind.Kind == "" || in.Operation == "":
		return nil, errors.New("decode review: expected a request with uid, kind and operation, found one without")
	}
	return &Request{
		UID: in.UID, Operation: Operation(in.Operation), Kind: schema.GroupVersionKind(in.Kind),
		Namespace: in.Namespace, Name: in.Name, SubResource: in.SubResource, User: in.UserInfo.Username,
		DryRun: in.DryRun != nil && *in.DryRun, Object: in.Object.Raw, Old: in.OldObject.Raw,
	}, nil
}

// object reads an object of a request.
func object(raw []byte) (map[string]any, error) {
	var o map[string]any
	strict, err := kjson.UnmarshalStrict(raw, &o, kjson.DisallowDuplicateFields)
	if err == nil {
		err = errors.Join(strict...)
	}
	if err == nil && o == nil {
		err = errors.New("expected an object, found nothing")
	}
	return o, err
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
