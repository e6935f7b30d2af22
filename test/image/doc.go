// Package image holds the test of the container image's build: it runs the
// build stage of the Dockerfile step by step on files that .dockerignore lets
// through, without a container engine, and looks at the binaries.
package image
