package checks_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/syncgate/syncgate/test/harness"
)

// Who may override a gate is what the cluster's own RBAC says of the very user
// whose token was shown: a role for another gate, or for nobody, is no leave.
func TestMayOverride(t *testing.T) {
	c := start(t)
	eu := c.registry(t)
	gate := "chat-" + c.ns
	for _, name := range []string{"oncall", "visitor"} {
		noError(t, c.ServiceAccount(t.Context(), c.ns, name))
	}
	_, err := c.Kube.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "override-" + gate},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"syncgate.dev"}, Resources: []string{"gates"}, Verbs: []string{"override"}, ResourceNames: []string{gate}}},
	}, metav1.CreateOptions{})
	noError(t, err)
	_, err = c.Kube.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "override-" + gate},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "override-" + gate},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: c.ns, Name: "oncall"}},
	}, metav1.CreateOptions{})
	noError(t, err)
	for _, tt := range []struct {
		name, account, gate string
		want                bool
	}{
		{"the role's gate", "oncall", gate, true},
		{"another gate", "oncall", gate + "-2", false},
		{"nobody's role", "visitor", gate, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token, err := c.Token(t.Context(), c.ns, tt.account, "syncgate", 0)
			noError(t, err)
			who, err := eu.Authenticate(t.Context(), token)
			noError(t, err)
			// The API server's authorizer hears of a new role in its own time.
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			noError(t, harness.Eventually(ctx, func(ctx context.Context) error {
				may, why, err := eu.MayOverride(ctx, who.User, tt.gate)
				if err == nil && may != tt.want {
					err = fmt.Errorf("may override: expected %v, found %v (%s)", tt.want, may, why)
				}
				return err
			}))
		})
	}
}
