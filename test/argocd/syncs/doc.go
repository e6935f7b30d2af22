// Package syncs takes changes through the whole of Argo CD, both majors, and
// looks at what is applied, refused, waited for and taken back.
package syncs
