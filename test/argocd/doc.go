// Package argocd tests the plugin inside real Argo CD, both majors.
package argocd
