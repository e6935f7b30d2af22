package checks_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/check"
	"github.com/syncgate/syncgate/hooks/checks"
	"github.com/syncgate/syncgate/policies/gate"
)

// site answers what the tests ask.
func site(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/ping":
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Version-Id", "11.6.1.1.abc.true")
		w.Header().Set("Set-Cookie", "session=hunter2")
		fmt.Fprintf(w, `{"status":"OK","database_status":%q,"n":3,"token":"hunter2"}`, r.URL.Query().Get("db"))
	case "/unhealthy":
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, "hunter2")
	case "/headers":
		fmt.Fprintf(w, "%s|%s|%s", r.Header.Get("X-Gate"), r.UserAgent(), r.Method)
	case "/big":
		fmt.Fprint(w, strings.Repeat("x", 1<<20+1))
	case "/largest":
		fmt.Fprint(w, strings.Repeat("x", 1<<20))
	case "/slow":
		<-r.Context().Done()
	case "/cut":
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "only this")
	case "/to":
		http.Redirect(w, r, r.URL.Query().Get("url"), http.StatusFound)
	case "/loop":
		http.Redirect(w, r, "/loop", http.StatusFound)
	}
}

func httpCheck(t *testing.T, o checks.HTTPOptions, spec gate.HTTPCheck) check.Check {
	t.Helper()
	c, err := checks.New(checks.Options{HTTP: o})(gate.Check{Name: "http", HTTP: &spec})
	noError(t, err)
	return c
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(site))
	t.Cleanup(server.Close)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("a redirect to another host was followed")
		w.WriteHeader(http.StatusOK)
	}))
	t.Cleanup(elsewhere.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	here := func(path string) string { return server.URL + path }
	for name, c := range map[string]struct {
		spec gate.HTTPCheck
		want want
	}{
		"status alone":            {gate.HTTPCheck{URL: here("/ping")}, expect(hooks.Pass, "status 200", "X-Version-Id 11.6.1")},
		"a status that is wrong":  {gate.HTTPCheck{URL: here("/unhealthy")}, expect(hooks.Wait, "status 500", "expected status >= 200")},
		"JSON":                    {gate.HTTPCheck{URL: here("/ping?db=OK"), Assert: "json.database_status == 'OK' && json.n == 3"}, expect(hooks.Pass)},
		"JSON that is otherwise":  {gate.HTTPCheck{URL: here("/ping?db=UNHEALTHY"), Assert: "json.database_status == 'OK'"}, expect(hooks.Wait)},
		"JSON that lacks a field": {gate.HTTPCheck{URL: here("/ping"), Assert: "json.filestore_status == 'OK'"}, expect(hooks.Unknown, "has(")},
		"a field that may lack":   {gate.HTTPCheck{URL: here("/ping"), Assert: "has(json.filestore_status)"}, expect(hooks.Wait)},
		"no JSON":                 {gate.HTTPCheck{URL: here("/headers"), Assert: "json == null"}, expect(hooks.Pass)},
		"headers by lower case":   {gate.HTTPCheck{URL: here("/ping"), Assert: "headers['x-version-id'].startsWith(values.image.tag)"}, expect(hooks.Pass)},
		"body and sent headers":   {gate.HTTPCheck{URL: here("/headers"), Headers: map[string]string{"X-Gate": "${gate}-${cluster}"}, Assert: "body == 'mattermost-eu|syncgate|GET'"}, expect(hooks.Pass)},
		"HEAD":                    {gate.HTTPCheck{URL: here("/ping"), Method: "HEAD", Assert: "status == 200 && body == ''"}, expect(hooks.Pass)},
		"URL from the values":     {gate.HTTPCheck{URL: server.URL + "/${'ping'}"}, expect(hooks.Pass, "/ping")},
		"URL that becomes none":   {gate.HTTPCheck{URL: "${'ftp'}://example.com"}, expect(hooks.Unknown, "url")},
		"header with a line end":  {gate.HTTPCheck{URL: here("/headers"), Headers: map[string]string{"X-Gate": "${'a\\r\\nb: c'}"}}, expect(hooks.Unknown, "X-Gate")},
		"the largest body":        {gate.HTTPCheck{URL: here("/largest"), Assert: "body.size() == 1048576"}, expect(hooks.Pass)},
		"a body over the limit":   {gate.HTTPCheck{URL: here("/big")}, expect(hooks.Unknown, "maxBody")},
		"a body that is cut off":  {gate.HTTPCheck{URL: here("/cut")}, expect(hooks.Wait)},
		"no answer in time":       {gate.HTTPCheck{URL: here("/slow"), Timeout: gate.Duration(50 * time.Millisecond)}, expect(hooks.Wait, "no answer within 50ms")},
		"nobody there":            {gate.HTTPCheck{URL: closed.URL + "/x?token=hunter2"}, expect(hooks.Wait, "connection refused", "/x?…")},
		"a redirect here":         {gate.HTTPCheck{URL: here("/to?url=/ping")}, expect(hooks.Pass, "status 200")},
		"a redirect elsewhere":    {gate.HTTPCheck{URL: here("/to?url=" + url.QueryEscape(elsewhere.URL+"/?token=hunter2"))}, expect(hooks.Wait, "status 302", "not followed")},
		"a redirect to a file":    {gate.HTTPCheck{URL: here("/to?url=file:///etc/passwd")}, expect(hooks.Wait, "status 302")},
		"redirects without end":   {gate.HTTPCheck{URL: here("/loop")}, expect(hooks.Wait, "status 302")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := asked(t, httpCheck(t, checks.HTTPOptions{AllowHosts: []string{"127.0.0.1"}}, c.spec), target(), c.want)
			if text := fmt.Sprint(a); strings.Contains(text, "hunter2") {
				t.Errorf("the answer holds a secret: %s", text)
			}
		})
	}
}

func TestHTTPVerifiesCertificates(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(site))
	t.Cleanup(server.Close)
	allow := []string{"127.0.0.1", "localhost"}
	asked(t, httpCheck(t, checks.HTTPOptions{AllowHosts: allow}, gate.HTTPCheck{URL: server.URL + "/ping"}), target(), expect(hooks.Unknown, "certificate"))

	transport, ok := server.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("expected a transport")
	}
	trusting := checks.HTTPOptions{AllowHosts: allow, Transport: transport}
	asked(t, httpCheck(t, trusting, gate.HTTPCheck{URL: server.URL + "/ping"}), target(), expect(hooks.Pass))
	other := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	asked(t, httpCheck(t, trusting, gate.HTTPCheck{URL: other + "/ping"}), target(), expect(hooks.Unknown, "certificate"))
}

func TestHTTPRefusesAddresses(t *testing.T) {
	t.Parallel()
	hits := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits <- struct{}{} }))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	noError(t, err)
	for name, c := range map[string]struct {
		host    string
		allowed []string
		want    hooks.Status
	}{
		"loopback":            {"127.0.0.1", nil, hooks.Unknown},
		"loopback by name":    {"localhost", nil, hooks.Unknown},
		"all zeros":           {"0.0.0.0", nil, hooks.Unknown},
		"IPv6 loopback":       {"[::1]", nil, hooks.Unknown},
		"mapped into IPv6":    {"[::ffff:127.0.0.1]", nil, hooks.Unknown},
		"another is allowed":  {"127.0.0.1", []string{"localhost"}, hooks.Unknown},
		"another port is":     {"127.0.0.1", []string{"127.0.0.1:1"}, hooks.Unknown},
		"metadata":            {"169.254.169.254", nil, hooks.Unknown},
		"allowed by host":     {"127.0.0.1", []string{"127.0.0.1"}, hooks.Pass},
		"allowed by name":     {"localhost", []string{"LOCALHOST"}, hooks.Pass},
		"allowed with a port": {"127.0.0.1", []string{"127.0.0.1:" + port}, hooks.Pass},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.host == "[::1]" && !hasIPv6(t) {
				t.Skip("this machine has no IPv6")
			}
			w := expect(c.want)
			if c.want == hooks.Unknown {
				w = expect(c.want, "allowed hosts")
			}
			asker := httpCheck(t, checks.HTTPOptions{AllowHosts: c.allowed}, gate.HTTPCheck{URL: "http://" + c.host + ":" + port + "/"})
			asked(t, asker, target(), w)
		})
	}
	t.Cleanup(func() {
		if n := len(hits); n != 3 {
			t.Errorf("expected the 3 that are allowed to reach the server, found %d", n)
		}
	})
}

func hasIPv6(t *testing.T) bool {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp6", "[::1]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"https://a.example.com/x", "https://a.example.com/y", true},
		{"http://a.example.com/x", "https://a.example.com/x", true},
		{"http://a.example.com:8080/x", "https://a.example.com/x", true},
		{"https://a.example.com/x", "http://a.example.com/x", false},
		{"https://a.example.com/x", "https://b.example.com/x", false},
		{"https://a.example.com/x", "https://a.example.com:8443/x", false},
		{"https://a.example.com/x", "https://a.example.com.evil.example/x", false},
		{"https://a.example.com/x", "https://user:password@a.example.com/x", false},
	} {
		if got := checks.Follows(c.from, c.to); got != c.want {
			t.Errorf("%s to %s: expected %v, found %v", c.from, c.to, c.want, got)
		}
	}
}

func TestPublic(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"93.184.216.34": true, "10.0.0.1": true, "172.16.0.1": true, "192.168.1.1": true, "2606:2800:220:1::1": true, "fd12::1": true,
		"127.0.0.1": false, "127.9.9.9": false, "0.0.0.0": false, "0.1.2.3": false, "255.255.255.255": false, "169.254.169.254": false, "169.254.1.1": false, "224.0.0.1": false,
		"100.100.100.200": false, "192.0.0.192": false, "fd00:ec2::254": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "::ffff:10.0.0.1": true, "::127.0.0.1": false,
		"64:ff9b::a9fe:a9fe": false, "64:ff9b::5db8:d822": true, "2002:7f00:1::": false, "2002:a9fe:a9fe::1": false, "2002:5db8:d822::1": true,
	} {
		if got := checks.Public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: expected %v, found %v", address, want, got)
		}
	}
}
