package house

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// tracked lists the files of the repository.
func tracked(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v (the tests need a git checkout)", err)
	}
	return strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
}

// Private keys may stand in the simulators and in test data only, and there is no large file.
func TestNothingOutOfPlaceIsCommitted(t *testing.T) {
	n := 0
	for _, path := range tracked(t) {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // removed in the working tree
		}
		n++
		if len(b) > 1<<20 {
			t.Errorf("%s has %d bytes", path, len(b))
		}
		if strings.HasPrefix(path, "sim/") || strings.Contains(path, "testdata/") || strings.HasSuffix(path, "_test.go") {
			continue
		}
		if bytes.Contains(b, []byte("PRIVATE KEY--"+"---")) {
			t.Errorf("%s holds a private key", path)
		}
	}
	if n < 100 {
		t.Errorf("only %d files were looked at", n)
	}
}

// Test keys of the simulators must not be in anything that is flashed. They are found by their first bytes in hexadecimal and raw.
func TestNoTestKeyInTheFlashedBinary(t *testing.T) {
	path := t.TempDir() + "/posd"
	build := exec.Command("go", "build", "-o", path, "./cmd/posd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"0123456789ABCDEFFEDCBA9876543210", "CA5D92598DCA48CE8A4C76361A9269E9"} {
		if bytes.Contains(bytes.ToUpper(b), []byte(key)) {
			t.Errorf("posd contains the published test key %s...", key[:8])
		}
	}
	if bytes.Contains(b, []byte("posd/sim")) {
		t.Error("posd contains code of sim")
	}
}
