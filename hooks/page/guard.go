package page

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"
)

// policy lets a page have its own style sheet and its own form, and nothing
// else: no script, no picture, nothing from elsewhere.
const policy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secured tells browsers what they may do with a page.
func secured(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	c.Next()
}

// named refuses a request for a host that the pages are not served as.
func (p *Page) named(c *gin.Context) {
	if p.hosts == nil {
		return
	}
	host := c.Request.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if !p.hosts[host] {
		p.fail(c, http.StatusMisdirectedRequest, fmt.Sprintf("These pages are not served as %.80q.", host),
			"Open them as localhost, or set publicURL in the server's configuration to the address you use.")
	}
}

// bounded limits how many pages are made, and how long one may take.
func (p *Page) bounded(c *gin.Context) {
	if !p.limit.Allow() {
		c.Header("Retry-After", "2")
		p.fail(c, http.StatusTooManyRequests, fmt.Sprintf("More than %g pages a second are asked for (limit pageRate).", float64(p.limit.Limit())),
			"Wait a moment and load the page again.")
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), timeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// recovered turns a panic into a page.
func (p *Page) recovered(c *gin.Context) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if err, ok := r.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(r)
		}
		p.log.ErrorContext(c.Request.Context(), "page panicked", "path", c.Request.URL.Path, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		if c.Writer.Written() {
			c.Abort()
			return
		}
		p.fail(c, http.StatusInternalServerError, "The page broke down, which is a mistake in Syncgate.", "Report what the server's log says.")
	}()
	c.Next()
}
