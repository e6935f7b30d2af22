// Package rules says where the values of clusters break a Gate's rules: what
// should be identical and is not, what is required and not set, and what the
// CEL rules of the Gate and its packs say. Findings are data; an error means
// that a rule could not be told.
package rules
