// Package house holds the tests that police the tree: which package may import which, that every package says what it is, which
// modules are linked into the flashed binary, and that nothing secret or out of place is committed.
package house

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

type pkg struct {
	ImportPath string
	Dir        string
	Doc        string
	Imports    []string
	Deps       []string
	GoFiles    []string
	Module     *struct{ Path string }
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var ps []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
	return ps
}

// room is the first part of a package's path: "emv" for posd/emv/tlv.
func room(path string) string {
	r, _, _ := strings.Cut(strings.TrimPrefix(path, "posd/"), "/")
	return r
}

// ground is what the middle rooms may share.
func ground(path string) bool {
	return path == "posd/emv/tlv" || room(path) == "vault" || room(path) == "internal"
}

var middle = map[string]bool{"emv": true, "qrpay": true, "netlink": true, "printer": true, "keypad": true, "journal": true}

// mayImport is the drawing of the house in docs/architecture.md.
func mayImport(from, to string) bool {
	f, o := room(from), room(to)
	switch {
	case f == o, o == "internal":
		return true
	case from == "posd/cmd/possim":
		return o == "sim"
	case from == "posd/cmd/posd":
		return o != "sim" && o != "cmd"
	case f == "sim":
		return o != "txn" && o != "cmd" // a simulator may use any codec or type, never the flows it is there to test
	case f == "txn":
		return middle[o] || o == "vault"
	case middle[f], f == "hal":
		return ground(to)
	case f == "vault", f == "internal":
		return false
	}
	return false
}

func TestArrows(t *testing.T) {
	for _, p := range list(t, "./...") {
		for _, i := range p.Imports {
			if strings.HasPrefix(i, "posd/") && !mayImport(p.ImportPath, i) {
				t.Errorf("%s may not import %s", p.ImportPath, i)
			}
		}
	}
	for _, p := range list(t, "./cmd/posd") {
		for _, d := range p.Deps {
			if strings.HasPrefix(d, "posd/sim") {
				t.Errorf("the flashed binary links %s", d)
			}
		}
	}
}

// The test must know a forbidden arrow when it sees one.
func TestArrowsKnowsWrong(t *testing.T) {
	for _, c := range [][2]string{
		{"posd/emv", "posd/journal"},
		{"posd/emv", "posd/hal"},
		{"posd/txn", "posd/hal"},
		{"posd/txn", "posd/sim/card"},
		{"posd/hal/ccid", "posd/emv"},
		{"posd/sim/world", "posd/txn"},
		{"posd/qrpay", "posd/keypad"},
		{"posd/cmd/posd", "posd/sim"},
		{"posd/vault", "posd/emv"},
	} {
		if mayImport(c[0], c[1]) {
			t.Errorf("%s -> %s was allowed", c[0], c[1])
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range list(t, "./...") {
		if len(p.GoFiles) == 0 {
			continue
		}
		if len(p.Doc) < 40 {
			t.Errorf("%s has no package comment that says what it is", p.ImportPath)
		}
	}
}

// modules is what the flashed binary is made of. A new line here is a decision.
var modules = []string{
	"github.com/hajimehoshi/bitmapfont/v3",
	"github.com/mattn/go-colorable",
	"github.com/mattn/go-isatty",
	"github.com/pelletier/go-toml/v2",
	"github.com/pierrec/lz4/v4",
	"github.com/rs/zerolog",
	"github.com/smartwalle/alipay/v3",
	"github.com/smartwalle/ncrypto",
	"github.com/smartwalle/ngx",
	"github.com/smartwalle/nsign",
	"github.com/tarm/serial",
	"go.etcd.io/bbolt",
	"golang.org/x/image",
	"golang.org/x/sys",
	"golang.org/x/text",
	"periph.io/x/conn/v3",
	"posd",
	"rsc.io/qr",
}

func TestModulesOfTheFlashedBinary(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range list(t, "-deps", "./cmd/posd") {
		if p.Module != nil {
			seen[p.Module.Path] = true
		}
	}
	var got []string
	for m := range seen {
		got = append(got, m)
	}
	sort.Strings(got)
	if strings.Join(got, "\n") != strings.Join(modules, "\n") {
		t.Errorf("posd links\n%s\nthe list in this test says\n%s", strings.Join(got, "\n"), strings.Join(modules, "\n"))
	}
}

// No float on the money path: the rooms that compute or carry amounts have no floating-point type at all.
func TestNoFloatsWhereMoneyIs(t *testing.T) {
	for _, dir := range []string{"internal/money", "journal", "qrpay", "qrpay/alipay", "txn", "netlink/acquirer", "netlink/iso8583", "emv"} {
		forEachFile(t, dir, func(path string, f *ast.File, fset *token.FileSet) {
			ast.Inspect(f, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && (id.Name == "float64" || id.Name == "float32") {
					t.Errorf("%s uses %s", fset.Position(id.Pos()), id.Name)
				}
				return true
			})
		})
	}
}

// The wall clock is for stamps: flows and middle rooms take it from outside, and wait on monotonic timers or contexts.
func TestNoSleepingTests(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.Contains(b, []byte("t.Skip"+"(")) {
			t.Errorf("%s skips: a test that cannot run must fail and say what is missing", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func forEachFile(t *testing.T, dir string, f func(string, *ast.File, *token.FileSet)) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		path := filepath.Join(dir, name)
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(fmt.Errorf("%s: %w", path, err))
		}
		f(path, file, fset)
	}
}
