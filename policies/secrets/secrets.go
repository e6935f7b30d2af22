// Package secrets recognizes credentials by their form: tokens of well-known
// services, private keys, addresses with a password in them.
package secrets

import (
	"github.com/google/osv-scalibr/veles"
	"github.com/google/osv-scalibr/veles/secrets/anthropicapikey"
	"github.com/google/osv-scalibr/veles/secrets/awsaccesskey"
	"github.com/google/osv-scalibr/veles/secrets/azuretoken"
	"github.com/google/osv-scalibr/veles/secrets/cloudflareapitoken"
	"github.com/google/osv-scalibr/veles/secrets/digitaloceanapikey"
	"github.com/google/osv-scalibr/veles/secrets/dockerhubpat"
	"github.com/google/osv-scalibr/veles/secrets/gcpapikey"
	"github.com/google/osv-scalibr/veles/secrets/gcpsak"
	"github.com/google/osv-scalibr/veles/secrets/github"
	"github.com/google/osv-scalibr/veles/secrets/gitlabpat"
	"github.com/google/osv-scalibr/veles/secrets/hashicorpvault"
	"github.com/google/osv-scalibr/veles/secrets/huggingfaceapikey"
	"github.com/google/osv-scalibr/veles/secrets/jwt"
	"github.com/google/osv-scalibr/veles/secrets/npmjsaccesstoken"
	"github.com/google/osv-scalibr/veles/secrets/openai"
	"github.com/google/osv-scalibr/veles/secrets/privatekey"
	"github.com/google/osv-scalibr/veles/secrets/pypiapitoken"
	"github.com/google/osv-scalibr/veles/secrets/sendgrid"
	"github.com/google/osv-scalibr/veles/secrets/slacktoken"
	"github.com/google/osv-scalibr/veles/secrets/stripeapikeys"
	"github.com/google/osv-scalibr/veles/secrets/telegrambotapitoken"
)

// maxText is how many bytes of a text are looked at.
const maxText = 64 << 10

// Detector recognizes secrets. It is safe for concurrent use.
type Detector struct{ kinds []kind }

// kind is one kind of secret.
type kind struct {
	name string
	is   veles.Detector
}

// NewDetector makes a Detector of every kind in its table.
func NewDetector() *Detector {
	return &Detector{[]kind{
		{"a private key", privatekey.NewDetector()},
		{"a JSON Web Token", jwt.NewDetector()},
		{"a GitHub personal access token", github.NewClassicPATDetector()},
		{"a GitHub fine-grained personal access token", github.NewFineGrainedPATDetector()},
		{"a GitHub OAuth token", github.NewOAuthTokenDetector()},
		{"a GitHub App token", github.NewAppS2STokenDetector()},
		{"a GitHub App user token", github.NewAppU2SDetector()},
		{"a GitHub App refresh token", github.NewAppRefreshTokenDetector()},
		{"a GitLab personal access token", gitlabpat.NewDetector()},
		{"an AWS access key", awsaccesskey.NewDetector()},
		{"a Google Cloud API key", gcpapikey.NewDetector()},
		{"a Google Cloud service account key", gcpsak.NewDetector()},
		{"an Azure token", azuretoken.NewDetector()},
		{"a Cloudflare API token", cloudflareapitoken.NewDetector()},
		{"a DigitalOcean API token", digitaloceanapikey.NewDetector()},
		{"a Docker Hub personal access token", dockerhubpat.NewDetector()},
		{"a HashiCorp Vault token", hashicorpvault.NewTokenDetector()},
		{"a Slack app token", slacktoken.NewAppLevelTokenDetector()},
		{"a Slack configuration token", slacktoken.NewAppConfigAccessTokenDetector()},
		{"a Stripe secret key", stripeapikeys.NewSecretKeyDetector()},
		{"a Stripe restricted key", stripeapikeys.NewRestrictedKeyDetector()},
		{"a Stripe webhook secret", stripeapikeys.NewWebhookSecretDetector()},
		{"a SendGrid API key", sendgrid.NewDetector()},
		{"a Telegram bot token", telegrambotapitoken.NewDetector()},
		{"an npm access token", npmjsaccesstoken.NewDetector()},
		{"a PyPI API token", pypiapitoken.NewDetector()},
		{"a Hugging Face API key", huggingfaceapikey.NewDetector()},
		{"an OpenAI API key", openai.NewDetector()},
		{"an Anthropic API key", anthropicapikey.NewDetector()},
	}}
}

// Detect says which kind of secret is in a text, "" when it knows of none.
func (d *Detector) Detect(text string) string {
	const shortest = 8
	if len(text) < shortest {
		return ""
	}
	data := []byte(text[:min(len(text), maxText)])
	for _, k := range d.kinds {
		if found, _ := k.is.Detect(data); len(found) > 0 {
			return k.name
		}
	}
	return ""
}
