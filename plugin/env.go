package plugin

import (
	"cmp"
	"strings"

	"github.com/syncgate/syncgate/plugin/render"
)

// RequestFromEnv is what Argo CD's environment for a plugin says of a request.
// getenv is "" for a variable that is not set. Dir is ARGOCD_APP_SOURCE_PATH.
// A parameter is in ARGOCD_APP_PARAMETERS, and again in PARAM_<NAME>, which
// alone is read where the first is not set; a plugin variable <NAME> is in
// ARGOCD_ENV_<NAME>. With an error, which is about the parameters, comes all
// that does not depend on them.
func RequestFromEnv(getenv func(name string) string) (Request, error) {
	params, err := DecodeParameters([]byte(getenv("ARGOCD_APP_PARAMETERS")))
	param := func(name string) string {
		upper := strings.ToUpper(name)
		return cmp.Or(params[name], getenv("PARAM_"+upper), getenv("ARGOCD_ENV_"+upper), getenv("ARGOCD_ENV_"+name))
	}
	revision := getenv("ARGOCD_APP_REVISION")
	target := getenv("ARGOCD_APP_SOURCE_TARGET_REVISION")
	if revision != "" && target == "" {
		target = "HEAD" // which is what Argo CD takes then
	}
	return Request{
		Dir:            getenv("ARGOCD_APP_SOURCE_PATH"),
		Gate:           param(ParameterGate),
		Cluster:        param(ParameterCluster),
		Values:         overrides(params),
		App:            getenv("ARGOCD_APP_NAME"),
		Namespace:      getenv("ARGOCD_APP_NAMESPACE"),
		Repository:     getenv("ARGOCD_APP_SOURCE_REPO_URL"),
		Revision:       revision,
		TargetRevision: target,
		Capabilities: render.Capabilities{
			KubeVersion: getenv("KUBE_VERSION"),
			APIVersions: splitList(getenv("KUBE_API_VERSIONS")),
		},
	}, err
}

func splitList(list string) []string {
	var items []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
