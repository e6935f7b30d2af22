// Package arch holds the tests that keep the project in its shape: which room
// may import which, what the fast command may link, how long a file and a
// function may grow, and that every package says what it is. It has no code of
// its own; the rules are those of docs/architecture.md.
package arch
