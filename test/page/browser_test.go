package page

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/syncgate/syncgate/hooks"
	"github.com/syncgate/syncgate/hooks/page"
	"github.com/syncgate/syncgate/hooks/page/pagetest"
)

// TestInABrowser has Chromium read the pages: they show what they should, take
// their style, obey their own policy, and fit a phone. SYNCGATE_SCREENSHOTS
// names a folder to keep the pictures in.
func TestInABrowser(t *testing.T) {
	chromium := browser(t)
	p, err := page.New(page.Options{Runs: pagetest.Open(t, pagetest.Runs()), Loopback: true, Now: pagetest.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	asked := map[string]bool{}
	handler := p.Handler()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path] = true
		mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	defer srv.Close()
	dir := os.Getenv("SYNCGATE_SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	for _, tt := range []struct{ name, path, text string }{
		{"list", "/", "overridden by jane@acme.example"},
		{"waiting", "/gates/mattermost/eu/" + pagetest.Revision() + "/preSync", "older than maxAge 24h"},
		{"failed", hooks.PathPageRuns + "/" + pagetest.ID(pagetest.FailedRun), `href="https://github.com/acme/gitops/pull/42"`},
		{"passed", hooks.PathPageRuns + "/" + pagetest.ID(pagetest.PassedRun), "Backup to go back to"},
		{"overridden", hooks.PathPageRuns + "/" + pagetest.ID(pagetest.Overridden), "jane@acme.example"},
		{"hostile", hooks.PathPageRuns + "/" + pagetest.ID(pagetest.Hostile), "&lt;script&gt;alert(1)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dom, complaints := run(t, chromium, "--dump-dom", srv.URL+tt.path)
			if !strings.Contains(dom, tt.text) {
				t.Errorf("the page does not have %q:\n%s", tt.text, dom)
			}
			for _, word := range []string{"Content Security Policy", "Refused to"} {
				if strings.Contains(complaints, word) {
					t.Errorf("the browser complains:\n%s", complaints)
				}
			}
			phone := shot(t, chromium, filepath.Join(dir, tt.name+"-phone.png"), "500,1400", srv.URL+tt.path)
			if !fits(phone) {
				t.Error("on a phone the page is wider than the screen")
			}
			if tt.name != "list" && os.Getenv("SYNCGATE_SCREENSHOTS") == "" {
				return // all have the same style
			}
			dark := shot(t, chromium, filepath.Join(dir, tt.name+"-dark.png"), "1000,1100", srv.URL+tt.path, "--blink-settings=preferredColorScheme=0")
			light := shot(t, chromium, filepath.Join(dir, tt.name+"-light.png"), "1000,1100", srv.URL+tt.path, "--blink-settings=preferredColorScheme=1")
			if l, d := ground(light), ground(dark); l < 0xc000 || d > 0x4000 {
				t.Errorf("the ground's brightness is %#x in light and %#x in dark: the style is not taken", l, d)
			}
		})
	}
	mu.Lock()
	defer mu.Unlock()
	if !asked["/style.css"] {
		t.Error("the browser did not ask for the style")
	}
}

func browser(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("expected chromium on the PATH; install Debian's package")
	}
	t.Skip("no chromium on the PATH; install Debian's package to look at the pages in a browser")
	return ""
}

// run starts the browser once, with a profile of its own.
func run(t *testing.T, chromium string, args ...string) (stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--enable-logging=stderr", "--user-data-dir=" + t.TempDir()}, args...)...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("run chromium %q: %v\n%s", args, err, complaints.String())
	}
	return out.String(), complaints.String()
}

func shot(t *testing.T, chromium, file, size, url string, more ...string) image.Image {
	t.Helper()
	_, complaints := run(t, chromium, append(more, "--screenshot="+file, "--window-size="+size, url)...)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("no screenshot: %v\n%s", err, complaints)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// ground is how bright the page is beside what is on it.
func ground(img image.Image) uint32 {
	b := img.Bounds()
	_, g, _, _ := img.At(b.Min.X+3, b.Max.Y-3).RGBA()
	return g
}

// fits reports whether the page ends before the screen does: where a card was
// wider, it would run into the margin.
func fits(img image.Image) bool {
	b := img.Bounds()
	want := ground(img)
	for y := b.Min.Y + 80; y < b.Max.Y; y++ { // below the head, which is as wide as the screen
		if _, g, _, _ := img.At(b.Max.X-4, y).RGBA(); g != want {
			return false
		}
	}
	return true
}
