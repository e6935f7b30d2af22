package config

import (
	"fmt"

	"github.com/syncgate/syncgate/policies/expr"
	"github.com/syncgate/syncgate/policies/gate"
)

// checkGuards holds the required guards against their rules, and fills in what
// the presets they use have.
func (d *decoder) checkGuards(c *Config) {
	repositories := map[string]bool{}
	for _, r := range c.Repositories {
		repositories[r.Name] = true
	}
	for i := range c.Minimums.Guards {
		g := &c.Minimums.Guards[i]
		path := fmt.Sprintf("minimums.guards[%d]", i)
		if !repositories[g.Repository] {
			d.wrongAt(path+".repository", "expected the name of one of the repositories, found %.80q", g.Repository)
		}
		d.required(path+".gate", g.Gate)
		d.required(path+".namespace", g.Namespace)
		guard, err := g.Guard.Resolve()
		if err != nil {
			d.wrongAt(path+".guard.use", "%v", err)
			continue
		}
		g.Guard = guard
		g.Guard.Validate(compiles, func(field, problem, remedy string) {
			d.wrongAt(join(path+".guard", field), "%s; %s", problem, remedy)
		})
	}
	if len(c.Minimums.Guards) > 0 && len(c.Admission.Clusters) == 0 {
		d.wrongAt("minimums.guards", "expected admission.clusters, since nobody asks about guards without")
	}
}

func compiles(template string) error {
	env, err := expr.NewEnv(gate.TemplateVariables()...)
	if err == nil {
		_, err = env.CompileTemplate(template)
	}
	return err
}

func (d *decoder) checkAdmission(c *Config) {
	names := map[string]bool{}
	for i, a := range c.Admission.Clusters {
		path := fmt.Sprintf("admission.clusters[%d]", i)
		d.name(path, a.Name, names)
		if a.ClientCAFile == "" && a.TokenFile == "" {
			d.wrongAt(path, "expected clientCAFile or tokenFile, since nobody is believed without, found neither")
		}
		if a.ClientCAFile != "" && c.TLS == nil {
			d.wrongAt(path+".clientCAFile", "expected tls, since there are no client certificates without")
		}
		if len(a.ClientNames) > 0 && a.ClientCAFile == "" {
			d.wrongAt(path+".clientNames", "expected clientCAFile beside it")
		}
		if a.TokenInPath && a.TokenFile == "" {
			d.wrongAt(path+".tokenInPath", "expected tokenFile beside it")
		}
	}
}
