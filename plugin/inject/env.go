package inject

import (
	"fmt"
	"os"
)

// FromEnv is the Config that the plugin's environment says; getenv is "" for a
// variable that is not set. Validate says whether it is whole.
func FromEnv(getenv func(name string) string) (Config, error) {
	c := Config{
		Image:          getenv("SYNCGATE_HOOK_IMAGE"),
		Server:         getenv("SYNCGATE_SERVER_URL"),
		ServiceAccount: getenv("SYNCGATE_HOOK_SERVICE_ACCOUNT"),
		Namespace:      getenv("SYNCGATE_HOOK_NAMESPACE"),
		PullSecret:     getenv("SYNCGATE_HOOK_PULL_SECRET"),
		PublicURL:      getenv("SYNCGATE_PUBLIC_URL"),
	}
	if file := getenv("SYNCGATE_SERVER_CA_FILE"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return c, fmt.Errorf("read the gate server's CA: %w; correct SYNCGATE_SERVER_CA_FILE in the plugin's environment", err)
		}
		c.CA = string(pem)
	}
	return c, nil
}
