package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/yaml"
)

// TestValueParameters sets values of cluster eu as an Application does. want is
// what the chart makes of them; err is in the first line of a refusal, more in
// the rest of the message.
func TestValueParameters(t *testing.T) {
	for _, tt := range []struct {
		name   string
		params map[string]string
		want   map[string]string
		err    string
		more   string
	}{
		{name: "none", want: map[string]string{"replicas": "3", "cpu": "2", "cpuKind": "float64", "debug": "false", "debugKind": "bool", "label": "x", "name": "eu"}},
		{name: "each kind", params: map[string]string{"values.host": "eu-2", "values.size.cpu": "0.5", "values.size.debug": "true"},
			want: map[string]string{"replicas": "3", "cpu": "0.5", "cpuKind": "float64", "debug": "true", "debugKind": "bool", "label": "x", "name": "eu-2"}},
		{name: "a string that looks like a number", params: map[string]string{"values.host": "7"},
			want: map[string]string{"replicas": "3", "cpu": "2", "cpuKind": "float64", "debug": "false", "debugKind": "bool", "label": "x", "name": "7"}},
		{name: "a field with dots", params: map[string]string{`values.labels["a.b/c"]`: "z"},
			want: map[string]string{"replicas": "3", "cpu": "2", "cpuKind": "float64", "debug": "false", "debugKind": "bool", "label": "z", "name": "eu"}},
		{name: "a value that must not differ", params: map[string]string{"values.replicas": "5"},
			err: "1 finding in gate shop: replicas differs: us=3 eu=5 (Application parameter values.replicas)", more: "1. [identical] replicas: expected the same value in all 2 clusters"},
		{name: "the value it has already, and must not differ", params: map[string]string{"values.replicas": "3"},
			err: "Application parameter values.replicas: gate shop does not let an Application set it"},
		{name: "a rule of the Gate", params: map[string]string{"values.host": "us"}, err: "1 finding in gate shop: expected rule cel/own-host to hold", more: "give each its own host"},
		{name: "may differ, but is not offered", params: map[string]string{"values.zone": "c"},
			err: "Application parameter values.zone: gate shop does not let an Application set it", more: "add `parameter: true` to its entry under spec.perCluster in syncgate.yaml"},
		{name: "a secret", params: map[string]string{"values.db.password": "swordfish"},
			err: "Application parameter values.db.password: gate shop does not let an Application set it"},
		{name: "no such value", params: map[string]string{"values.hots": "x"}, err: "Application parameter values.hots: the cluster has no value there"},
		{name: "no number", params: map[string]string{"values.size.cpu": "many"}, err: "Application parameter values.size.cpu: expected a number"},
		{name: "hexadecimal", params: map[string]string{"values.size.cpu": "0x10"}, err: "expected a number"},
		{name: "no boolean", params: map[string]string{"values.size.debug": "yes"}, err: "expected true or false"},
		{name: "a map", params: map[string]string{"values.size": "x"}, err: "found a map there"},
		{name: "a list", params: map[string]string{"values.extra.list": "1"}, err: "found a list there"},
		{name: "an item of a list", params: map[string]string{"values.extra.list[0]": "1"}, err: "expected a key path through maps"},
		{name: "all values at once", params: map[string]string{"values.size.*": "1"}, err: "expected a key path through maps"},
		{name: "nothing", params: map[string]string{"values.extra.none": "1"}, err: "Application parameter values.extra.none: "},
		{name: "no key path", params: map[string]string{"values.a..b": "1"}, err: "expected a name between two dots"},
		{name: "twice", params: map[string]string{"values.size.cpu": "1", `values.size["cpu"]`: "2"}, err: "both set it; keep one"},
		{name: "too long", params: map[string]string{"values.host": strings.Repeat("x", 5000)}, err: "limit parameterValueBytes=4096 hit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := request(".", func(r *Request) { r.Cluster, r.Hooks, r.Values = "eu", nil, overrides(tt.params) })
			var out bytes.Buffer
			err := Generate(t.Context(), repository(t, "parameters"), req, &out)
			if tt.err == "" {
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, data(t, out.Bytes())); diff != "" {
					t.Errorf("data (-want +got):\n%s", diff)
				}
				return
			}
			text := Explain(errOrNothing(err))
			if first, _, _ := strings.Cut(text, "\n"); !strings.Contains(first, tt.err) {
				t.Errorf("first line %q, want %q", first, tt.err)
			}
			if !strings.Contains(text, tt.more) || strings.Contains(text, "swordfish") || strings.Contains(text, "hunter2") {
				t.Errorf("want %q and no secret in\n%s", tt.more, text)
			}
			if out.Len() > 0 {
				t.Errorf("an error, and written all the same:\n%s", out.Bytes())
			}
		})
	}
}

// data is the data of a ConfigMap, and its name.
func data(t *testing.T, text []byte) map[string]string {
	t.Helper()
	var cm struct {
		Metadata struct{ Name string }
		Data     map[string]string
	}
	if err := yaml.Unmarshal(text, &cm); err != nil {
		t.Fatal(err)
	}
	cm.Data["name"] = cm.Metadata.Name
	return cm.Data
}

// TestOnlyItsOwnCluster holds that a parameter changes the cluster of the
// Application and no other.
func TestOnlyItsOwnCluster(t *testing.T) {
	req := request(".", func(r *Request) {
		r.Cluster, r.Hooks, r.Values = "us", nil, overrides(map[string]string{"values.host": "us-2"})
	})
	var out bytes.Buffer
	if err := Generate(t.Context(), repository(t, "parameters"), req, &out); err != nil {
		t.Fatal(err)
	}
	if got := data(t, out.Bytes()); got["name"] != "us-2" || got["cpu"] != "4" {
		t.Errorf("got %v", got)
	}
}

func TestValueParameterWithoutChart(t *testing.T) {
	req := request("plain", func(r *Request) { r.Hooks, r.Values = nil, overrides(map[string]string{"values.host": "x"}) })
	err := Generate(t.Context(), repository(t, "parameters"), req, &bytes.Buffer{})
	var refused *RefusedError
	if err == nil || errors.As(err, &refused) || !strings.Contains(err.Error(), "gate plain renders no chart, so that nothing would change") {
		t.Errorf("got %v", err)
	}
}

// TestValuesAreAnnounced lists what the Gate lets an Application of each
// cluster set, with what holds when it does not.
func TestValuesAreAnnounced(t *testing.T) {
	for _, tt := range []struct {
		cluster string
		set     map[string]string
		want    []announcement
	}{
		{cluster: ""},
		{cluster: "eu", set: map[string]string{"values.host": "other"}, want: []announcement{
			{Name: "values.host", Title: "host", ItemType: "string", String: "eu", Tooltip: "Value of cluster eu alone; without it, what eu.yaml:1:7 says. May differ: one address each"},
			{Name: "values.size.cpu", Title: "size.cpu", ItemType: "number", String: "2", Tooltip: "Value of cluster eu alone; without it, what eu.yaml:3:13 says"},
			{Name: "values.size.debug", Title: "size.debug", ItemType: "boolean", String: "false", Tooltip: "Value of cluster eu alone; without it, what eu.yaml:3:23 says"},
			{Name: `values.labels["a.b/c"]`, Title: `labels["a.b/c"]`, ItemType: "string", String: "x", Tooltip: "Value of cluster eu alone; without it, what eu.yaml:4:19 says"},
			{Name: "values.extra.global.k", Title: "extra.global.k", ItemType: "string", String: "v", Tooltip: "Value of cluster eu alone; without it, what chart/values.yaml:5:47 says"},
		}},
	} {
		t.Run(tt.cluster, func(t *testing.T) {
			var out bytes.Buffer
			if err := Parameters(t.Context(), repository(t, "parameters"), Request{Dir: ".", Cluster: tt.cluster, Values: overrides(tt.set)}, &out); err != nil {
				t.Fatal(err)
			}
			var list []announcement
			if err := json.Unmarshal(out.Bytes(), &list); err != nil {
				t.Fatal(err)
			}
			for i := range tt.want {
				tt.want[i].CollectionType = "string"
			}
			if diff := cmp.Diff(tt.want, list[2:], cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("announced (-want +got):\n%s", diff)
			}
		})
	}
}
