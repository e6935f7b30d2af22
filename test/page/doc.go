// Package page is the test of the pages in a real browser, Chromium.
package page
