// Package admission holds the tests of the admission webhook with a real API
// server, the chart's webhook configuration and the server's own program.
package admission
