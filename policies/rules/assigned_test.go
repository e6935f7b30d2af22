package rules

import "testing"

func TestSecretsInTexts(t *testing.T) {
	for text, want := range map[string]bool{
		`{"password":"hunter2"}`:                               true,
		`{"user":"x","password":"hunter2"}`:                    true,
		`{"db": {"user": "x", "dbPassword" : "hunter2"}}`:      true,
		"[db]\npasswd = hunter2\n":                             true,
		"[db]\r\npasswd = hunter2\r\n":                         true,
		"db:\n  password: hunter2\n":                           true,
		"password=hunter2\ntoken: abc123def\n":                 true,
		"x: 1\ntoken: abc123def\n":                             true,
		"export DB_PASSWORD=hunter2":                           true,
		"A=1\nDB_PASSWORD='hunter 2'\n":                        true,
		"smtp_pass = 12345\n":                                  true,
		"password: $2a$10$abcdefghijkl\n":                      true,
		"client_secret = hunter2\n":                            true,
		"- token: abc123def # of the bot\n- b\n":               true,
		`{"password":"${DB_PASSWORD}"}`:                        false,
		`{"password":{"type":"string"}}`:                       false,
		`{"password":"string"}`:                                false,
		`{"keys":"x","host":"y"}`:                              false,
		"password = ${DB_PASSWORD}\n":                          false,
		"password = $__file{/etc/secrets/password}\n":          false,
		"password: {{ .Values.password }}\n":                   false,
		"password: \"{{ .Values.password }}\"\n":               false,
		"password: $DB_PASSWORD\nx: y\n":                       false,
		"password_file = /run/secrets/password\n":              false,
		"token: /var/run/secrets/token\nx: y\n":                false,
		"secretName: chat-tls\nsecret: chat-tls\n":             false,
		"max_tokens: 4096\ntoken: true\npassword:\n  min: 8\n": false,
		"token_url = https://id.example.com/token\n":           false,
		"Password: see the wiki\nof the team\n":                false,
		"Password: Kennwort":                                   false,
		"Set a password: it is asked for":                      false,
		"token = process.env.TOKEN\npassword=%(ENV_PW)s\n":     false,
		"password: '********'\nx: y\n":                         false,
		"cache_key = abc\nkey: abc\n":                          false,
		"password: |\n  \n":                                    false,
		"":                                                     false,
	} {
		if got := assignsSecret(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
