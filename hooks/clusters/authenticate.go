package clusters

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Audience is what a hook Job's token must be made for: a token for the API
// server, or for somebody else, is refused.
const Audience = "syncgate"

// maxToken is the longest token that is sent on for review. Tokens of the API
// server have about 1 KiB.
const maxToken = 16 << 10

// ErrUnauthenticated says that the token is not a valid one for Audience on
// this cluster. Any other error of Authenticate means that nobody could tell.
var ErrUnauthenticated = errors.New("token is not valid for audience " + Audience + " on this cluster")

// Subject is who a token speaks for.
type Subject struct {
	Username string
	// Namespace and ServiceAccount are empty when the token is not one of a
	// ServiceAccount.
	Namespace      string
	ServiceAccount string
	// UID of the ServiceAccount.
	UID string
	// Pod and PodUID are set when the token is bound to a pod.
	Pod    string
	PodUID string
	// User is all that the cluster says of it.
	User authenticationv1.UserInfo
}

// String is "namespace/name" of a ServiceAccount, else the user's name.
func (s Subject) String() string {
	if s.ServiceAccount == "" {
		return s.Username
	}
	return s.Namespace + "/" + s.ServiceAccount
}

// Authenticate asks the cluster whose token this is. ErrUnauthenticated when
// the cluster says that it is none, that it has expired, or that it is meant
// for another audience; another error when the cluster could not be asked.
func (c *Cluster) Authenticate(ctx context.Context, token string) (Subject, error) {
	if token == "" {
		return Subject{}, fmt.Errorf("authenticate at cluster %s: no token: %w", c.Name, ErrUnauthenticated)
	}
	if len(token) > maxToken {
		return Subject{}, fmt.Errorf("authenticate at cluster %s: token has %d bytes, limit maxToken %d: %w", c.Name, len(token), maxToken, ErrUnauthenticated)
	}
	review, err := c.Kube.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{Audience}},
	}, metav1.CreateOptions{})
	if err != nil {
		return Subject{}, fmt.Errorf("review token at cluster %s (needs create on tokenreviews.authentication.k8s.io): %w", c.Name, err)
	}
	status := review.Status
	if !status.Authenticated {
		why := "the cluster refused it"
		if status.Error != "" {
			why = fmt.Sprintf("the cluster refused it (%.200s)", status.Error)
		}
		return Subject{}, fmt.Errorf("authenticate at cluster %s: %s: %w", c.Name, why, ErrUnauthenticated)
	}
	// An API server that knows nothing of audiences answers without any.
	if !slices.Contains(status.Audiences, Audience) {
		return Subject{}, fmt.Errorf("authenticate at cluster %s: the cluster does not confirm the audience: %w", c.Name, ErrUnauthenticated)
	}
	return subject(status.User), nil
}

// subject reads the names that the API server gives to ServiceAccounts,
// system:serviceaccount:<namespace>:<name>.
func subject(u authenticationv1.UserInfo) Subject {
	s := Subject{
		Username: u.Username,
		Pod:      extra(u, "authentication.kubernetes.io/pod-name"),
		PodUID:   extra(u, "authentication.kubernetes.io/pod-uid"),
		User:     u,
	}
	rest, ok := strings.CutPrefix(u.Username, "system:serviceaccount:")
	if !ok {
		return s
	}
	namespace, name, ok := strings.Cut(rest, ":")
	if !ok || namespace == "" || name == "" || strings.Contains(name, ":") {
		return s
	}
	s.Namespace, s.ServiceAccount, s.UID = namespace, name, u.UID
	return s
}

func extra(u authenticationv1.UserInfo, key string) string {
	if v := u.Extra[key]; len(v) == 1 {
		return v[0]
	}
	return ""
}

// Allows reports whether s may post Changes for the cluster.
func (c *Cluster) Allows(s Subject) bool {
	return s.ServiceAccount != "" && slices.Contains(c.HookSubjects, s.String())
}

// What a person must be allowed on a cluster to override a gate there. It is
// nobody's by default: no built-in role but cluster-admin has it.
const (
	OverrideVerb     = "override"
	OverrideGroup    = "syncgate.dev"
	OverrideResource = "gates"
)

// MayOverride asks the cluster whether the user may override the gate. The
// word is the cluster's own, given with its answer and often empty. An error
// means that nobody could tell.
func (c *Cluster) MayOverride(ctx context.Context, user authenticationv1.UserInfo, gate string) (may bool, word string, err error) {
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	review, err := c.Kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: OverrideVerb, Group: OverrideGroup, Version: "*", Resource: OverrideResource, Name: gate,
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, "", fmt.Errorf("review access at cluster %s (needs create on subjectaccessreviews.authorization.k8s.io): %w", c.Name, err)
	}
	status := review.Status
	switch {
	case status.EvaluationError != "" && !status.Allowed:
		return false, "", fmt.Errorf("review access at cluster %s: the cluster could not tell: %.200s", c.Name, status.EvaluationError)
	case status.Denied:
		return false, status.Reason, nil
	}
	return status.Allowed, status.Reason, nil
}
