// Package docs holds the tests of what people read: that links lead somewhere,
// that the files shown can be read by the program, and that the pictures show
// what it says.
package docs
