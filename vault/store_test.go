package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// softPad is a Pad in a few lines: it has the TMK of Vector B and no line.
type softPad struct {
	tmk []byte
	err error
	n   int // calls
}

func (p *softPad) EnterPIN(_ context.Context, pik []byte, r PINEntry) (PINBlock, error) {
	p.n++
	if p.err != nil {
		return PINBlock{}, p.err
	}
	key, err := DecryptECB(p.tmk, pik)
	if err != nil {
		return PINBlock{}, err
	}
	b, err := EncodePIN0("1234", r.PAN)
	if err != nil {
		return PINBlock{}, err
	}
	e, err := EncryptECB(key, b[:])
	return PINBlock{Block: [8]byte(e)}, err
}

func (p *softPad) MAC(_ context.Context, mak, data []byte) ([8]byte, error) {
	p.n++
	if p.err != nil {
		return [8]byte{}, p.err
	}
	key, err := DecryptECB(p.tmk, mak)
	if err != nil {
		return [8]byte{}, err
	}
	return PadMAC(key, data)
}

func vectorB(t testing.TB) (*softPad, WorkingKeys) {
	return &softPad{tmk: unhex(t, "CA5D92598DCA48CE8A4C76361A9269E9")}, WorkingKeys{
		PIN: Cryptogram{Enc: unhex(t, "6701EAD6A9AD51E51AA406E2C27FCFA9"), KCV: unhex(t, "8D0A74B8")},
		MAC: Cryptogram{Enc: unhex(t, "B651F9E9BACE9AE1"), KCV: unhex(t, "AB7153CA")},
	}
}

func open(t testing.TB, dir string, p Pad) *Keys {
	t.Helper()
	k, err := Open(dir, p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysLife(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	pad, w := vectorB(t)
	k := open(t, dir, pad)
	if k.Ready() {
		t.Error("ready before the first sign-on")
	}
	if _, err := k.MAC(ctx, nil); !errors.Is(err, ErrNoKeys) {
		t.Errorf("MAC without keys: %v", err)
	}
	if _, err := k.EnterPIN(ctx, PINEntry{}); !errors.Is(err, ErrNoKeys) {
		t.Errorf("PIN without keys: %v", err)
	}
	if pad.n != 0 {
		t.Error("the pad was asked without keys")
	}
	if err := k.Install(ctx, w); err != nil {
		t.Fatal(err)
	}
	w.MAC.Enc[0] ^= 1 // the caller's buffers are its own

	k = open(t, dir, pad) // after a restart
	if !k.Ready() {
		t.Fatal("keys are gone after a restart")
	}
	fold := FoldECB([]byte("message"))
	got, err := k.MAC(ctx, fold[:])
	if err != nil {
		t.Fatal(err)
	}
	want, err := MAC1(unhex(t, "5BB5C72CD00B7338"), fold[:], Padding1)
	if err != nil || got != want {
		t.Errorf("MAC = %X, want %X (%v)", got, want, err)
	}
	pb, err := k.EnterPIN(ctx, PINEntry{PAN: "6222020200112233440"})
	if err != nil {
		t.Fatal(err)
	}
	clearBlock, err := DecryptECB(unhex(t, "807A23AD32B36D457AE91FDF927570EA"), pb.Block[:])
	if err != nil {
		t.Fatal(err)
	}
	if pin, err := DecodePIN([8]byte(clearBlock), "6222020200112233440"); err != nil || pin != "1234" {
		t.Errorf("PIN block does not decode under the PIK: %v", err)
	}
}

func TestInstallRefusals(t *testing.T) {
	ctx := t.Context()
	for _, c := range []struct {
		name string
		mut  func(p *softPad, w *WorkingKeys)
		want error
	}{
		{"PIN check value", func(_ *softPad, w *WorkingKeys) { w.PIN.KCV[3] ^= 1 }, ErrKCV},
		{"MAC check value", func(_ *softPad, w *WorkingKeys) { w.MAC.KCV[0] ^= 1 }, ErrKCV},
		{"PIN key turned", func(_ *softPad, w *WorkingKeys) { w.PIN.Enc[0] ^= 2 }, ErrKCV},
		{"pad with another TMK", func(p *softPad, _ *WorkingKeys) { p.tmk[0] ^= 2 }, ErrKCV},
		{"pad dead", func(p *softPad, _ *WorkingKeys) { p.err = ErrPad }, ErrPad},
		{"no check value", func(_ *softPad, w *WorkingKeys) { w.MAC.KCV = nil }, ErrKeyFormat},
		{"one byte of check value", func(_ *softPad, w *WorkingKeys) { w.MAC.KCV = w.MAC.KCV[:1] }, ErrKeyFormat},
		{"PIN key single DES", func(_ *softPad, w *WorkingKeys) { w.PIN.Enc = w.PIN.Enc[:8] }, ErrKeyFormat},
		{"PIN key of equal halves", func(_ *softPad, w *WorkingKeys) { copy(w.PIN.Enc[8:], w.PIN.Enc[:8]) }, ErrKeyFormat},
		{"one key for both", func(_ *softPad, w *WorkingKeys) { w.MAC = w.PIN.clone() }, ErrKeyFormat},
		{"no key", func(_ *softPad, w *WorkingKeys) { w.PIN.Enc = nil }, ErrKeyFormat},
		{"long key", func(_ *softPad, w *WorkingKeys) { w.MAC.Enc = make([]byte, 32) }, ErrKeyFormat},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			pad, w := vectorB(t)
			k := open(t, dir, pad)
			if err := k.Install(ctx, w); err != nil {
				t.Fatal(err)
			}
			before, err := k.MAC(ctx, []byte("x"))
			if err != nil {
				t.Fatal(err)
			}
			badPad, bad := vectorB(t)
			c.mut(badPad, &bad)
			k.pad = badPad
			if err := k.Install(ctx, bad); !errors.Is(err, c.want) {
				t.Errorf("Install: %v, want %v", err, c.want)
			}
			k.pad = pad
			for i, k := range []*Keys{k, open(t, dir, pad)} {
				if after, err := k.MAC(ctx, []byte("x")); err != nil || after != before {
					t.Errorf("the old keys are not in use any more (%d): %v", i, err)
				}
			}
		})
	}
	t.Run("single DES allowed", func(t *testing.T) {
		pad, w := vectorB(t)
		k, err := Open(t.TempDir(), pad, Options{SingleDESPIN: true})
		if err != nil {
			t.Fatal(err)
		}
		w.PIN = Cryptogram{Enc: w.PIN.Enc[:8], KCV: w.PIN.KCV}
		pik, _ := DecryptECB(pad.tmk, w.PIN.Enc)
		w.PIN.KCV, _ = KCV(pik, 4)
		if err := k.Install(ctx, w); err != nil {
			t.Error(err)
		}
	})
	t.Run("not writable", func(t *testing.T) {
		dir := t.TempDir()
		pad, w := vectorB(t)
		k := open(t, dir, pad)
		k.dir = filepath.Join(dir, "gone") // as when the file system was taken away: also holds for root
		if err := k.Install(ctx, w); err == nil {
			t.Error("installed without a durable file")
		}
		if k.Ready() {
			t.Error("ready with keys that are not stored")
		}
	})
}

func TestKeyFile(t *testing.T) {
	dir := t.TempDir()
	pad, w := vectorB(t)
	path := filepath.Join(dir, FileName)
	if err := os.WriteFile(path+".new", []byte("left by a power cut"), 0o644); err != nil {
		t.Fatal(err)
	}
	k := open(t, dir, pad)
	if err := k.Install(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", fi.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("files: %v", left)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(good, unhex(t, "5BB5C72CD00B7338")) || bytes.Contains(good, unhex(t, "807A23AD32B36D45")) {
		t.Error("a working key is clear in the file")
	}
	fails := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, pad, Options{})
		var fe *FileError
		if !errors.As(err, &fe) || fe.Field == "" || fe.Path != path {
			t.Errorf("%s: %v", name, err)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, b) {
			t.Errorf("%s: the damaged file was changed", name)
		}
	}
	for n := range len(good) {
		fails(fmt.Sprintf("cut at %d", n), good[:n])
		b := bytes.Clone(good)
		b[n] ^= 0x10
		fails(fmt.Sprintf("bit in byte %d", n), b)
	}
	fails("longer", append(bytes.Clone(good), 0))
	fails("huge", make([]byte, 1<<16))
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, pad, Options{}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("readable by the group: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none"), pad, Options{}); err == nil {
		t.Error("opened in a directory that is not there")
	}
	if _, err := Open(t.TempDir(), pad, Options{Rand: iotest.ErrReader(errors.New("broken"))}); err == nil {
		t.Error("a sealing key without randomness")
	}
}

func TestSeal(t *testing.T) {
	dir := t.TempDir()
	pad, w := vectorB(t)
	k := open(t, dir, pad)
	pan := []byte("6222020200112233440")
	s, err := k.Seal(pan, []byte("record 7"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(s, pan[:6]) {
		t.Error("clear card number in what is sealed")
	}
	if err := k.Install(t.Context(), w); err != nil { // new working keys leave the sealing key alone
		t.Fatal(err)
	}
	k = open(t, dir, pad)
	if got, err := k.Unseal(s, []byte("record 7")); err != nil || !bytes.Equal(got, pan) {
		t.Errorf("Unseal: %v", err)
	}
	s2, err := k.Seal(pan, []byte("record 7"))
	if err != nil || bytes.Equal(s, s2) {
		t.Errorf("two sealings are the same (%v)", err)
	}
	for name, f := range map[string]func() ([]byte, error){
		"other context": func() ([]byte, error) { return k.Unseal(s, []byte("record 8")) },
		"no context":    func() ([]byte, error) { return k.Unseal(s, nil) },
		"other key":     func() ([]byte, error) { return open(t, t.TempDir(), pad).Unseal(s, []byte("record 7")) },
		"empty":         func() ([]byte, error) { return k.Unseal(nil, []byte("record 7")) },
		"version":       func() ([]byte, error) { return k.Unseal(append([]byte{2}, s[1:]...), []byte("record 7")) },
	} {
		if got, err := f(); !errors.Is(err, ErrSealed) || got != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range s {
		b := bytes.Clone(s)
		b[i] ^= 1
		if _, err := k.Unseal(b, []byte("record 7")); !errors.Is(err, ErrSealed) {
			t.Errorf("bit in byte %d: %v", i, err)
		}
		if _, err := k.Unseal(s[:i], []byte("record 7")); !errors.Is(err, ErrSealed) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
	k.o.Rand = iotest.ErrReader(errors.New("broken"))
	if _, err := k.Seal(pan, nil); err == nil {
		t.Error("sealed without randomness")
	}
}

func TestNothingPrintsSecrets(t *testing.T) {
	pad, w := vectorB(t)
	k := open(t, t.TempDir(), pad)
	if err := k.Install(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	pb := PINBlock{Block: [8]byte(unhex(t, "FB54E34996C8BFF2"))}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%X", "%s", "%q", "%d"} {
		out := strings.ToUpper(fmt.Sprintf(verb+verb+verb+verb, w, PINEntry{PAN: "6222020200112233440"}, pb, k))
		for _, bad := range []string{"6701EA", "B651F9", "0XB6", "182 81", "222020200", "FB54E3", "251 84", "103 1 234"} {
			if strings.Contains(out, bad) {
				t.Errorf("%s shows %s", verb, bad)
			}
		}
	}
}

func FuzzKeyFile(f *testing.F) {
	_, w := vectorB(f)
	s := state{}
	for range 2 {
		b := s.append(nil)
		f.Add(b)
		f.Add(b[:len(b)-sha256.Size])
		s.has, s.keys = true, w
	}
	f.Add([]byte(fileMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		sum := sha256.Sum256(b)
		b = append(bytes.Clone(b), sum[:]...) // or nothing would get past the digest
		s, err := parseState(b)
		if err != nil {
			var fe *FileError
			if !errors.As(err, &fe) || fe.Offset > len(b) || fe.Offset < 0 {
				t.Fatalf("bad error: %v", err)
			}
			return
		}
		if !bytes.Equal(s.append(nil), b) {
			t.Fatal("the file does not come back")
		}
	})
}

func FuzzUnseal(f *testing.F) {
	k := open(f, f.TempDir(), nil)
	s, err := k.Seal([]byte("6222020200112233440"), []byte("record 7"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s)
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if plain, err := k.Unseal(b, []byte("another record")); err == nil {
			t.Fatalf("opened %d bytes", len(plain))
		}
	})
}
