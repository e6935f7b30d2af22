// Package e2e holds the tests that run the whole of Syncgate: the programs as
// processes, on real API servers, with real Git.
package e2e
