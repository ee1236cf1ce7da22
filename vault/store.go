package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// FileName is the file of Keys inside the directory given to Open.
const FileName = "keys"

// Options of Open. The zero value is what a terminal uses.
type Options struct {
	Rand io.Reader // crypto/rand when nil
	// SingleDESPIN accepts a PIN key of 8 bytes (field 62 in its 24-byte form), for hosts that know nothing better.
	SingleDESPIN bool
}

// Keys are the terminal's own keys and the door to those in the PIN pad. Safe for concurrent use.
type Keys struct {
	dir  string
	pad  Pad
	o    Options
	aead cipher.AEAD

	install sync.Mutex // one Install at a time; held while the pad computes check values
	mu      sync.Mutex // guards st
	st      state
}

// Open reads the keys of the terminal from dir, which must exist. When there is no file yet it makes a sealing key and writes
// one (mode 0600, durable before Open returns). A file that is damaged, not private or of another version is an error, *FileError,
// and is never replaced: without its sealing key nothing that was sealed can be opened.
func Open(dir string, pad Pad, o Options) (*Keys, error) {
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	k := &Keys{dir: dir, pad: pad, o: o}
	st, err := readState(filepath.Join(dir, FileName))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err = io.ReadFull(o.Rand, st.seal[:]); err != nil {
			return nil, fmt.Errorf("vault: no randomness for the sealing key: %w", err)
		}
		err = writeState(dir, st)
	}
	if err != nil {
		return nil, err
	}
	b, err := aes.NewCipher(st.seal[:])
	if err != nil {
		return nil, err
	}
	if k.aead, err = cipher.NewGCM(b); err != nil {
		return nil, err
	}
	k.st = st
	return k, nil
}

// Ready tells whether there are working keys. They may still be out of date: the acquirer's answers tell.
func (k *Keys) Ready() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.st.has
}

// Install checks both keys in the pad against their check values and stores them durably; from then on they are the keys of MAC
// and EnterPIN. When a check value differs the error is ErrKCV; whatever the error, the keys from before stay in use.
func (k *Keys) Install(ctx context.Context, w WorkingKeys) error {
	k.install.Lock()
	defer k.install.Unlock()
	if err := k.check(w); err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		c    Cryptogram
	}{{"PIN", w.PIN}, {"MAC", w.MAC}} {
		mac, err := k.pad.MAC(ctx, c.c.Enc, make([]byte, 8))
		if err != nil {
			return fmt.Errorf("vault: check of the %s key: %w", c.name, err)
		}
		if subtle.ConstantTimeCompare(mac[:len(c.c.KCV)], c.c.KCV) != 1 {
			return fmt.Errorf("%w (%s key)", ErrKCV, c.name)
		}
	}
	k.mu.Lock()
	st := k.st
	k.mu.Unlock()
	st.has = true
	st.keys = WorkingKeys{PIN: w.PIN.clone(), MAC: w.MAC.clone()}
	if err := writeState(k.dir, st); err != nil {
		return err
	}
	k.mu.Lock()
	k.st = st
	k.mu.Unlock()
	return nil
}

// ErrKeyFormat is a working key that cannot be used as it came: wrong length, or a PIN key that is single DES.
var ErrKeyFormat = errors.New("vault: working key refused")

func (k *Keys) check(w WorkingKeys) error {
	for _, c := range []struct {
		name string
		c    Cryptogram
	}{{"PIN", w.PIN}, {"MAC", w.MAC}} {
		if n := len(c.c.Enc); n != 8 && n != 16 && n != 24 {
			return fmt.Errorf("%w: %s key of %d bytes", ErrKeyFormat, c.name, n)
		}
		if n := len(c.c.KCV); n != 3 && n != 4 {
			return fmt.Errorf("%w: %s key check value of %d bytes", ErrKeyFormat, c.name, n)
		}
	}
	// In ECB equal halves of the cryptogram are equal halves of the key, which make single DES of it.
	p := w.PIN.Enc
	if !k.o.SingleDESPIN && (len(p) == 8 || string(p[:8]) == string(p[8:16])) {
		return fmt.Errorf("%w: the PIN key is single DES", ErrKeyFormat)
	}
	if string(p) == string(w.MAC.Enc) {
		return fmt.Errorf("%w: the PIN key and the MAC key are the same", ErrKeyFormat)
	}
	return nil
}

func (k *Keys) working() (WorkingKeys, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.st.has {
		return WorkingKeys{}, ErrNoKeys
	}
	return WorkingKeys{PIN: k.st.keys.PIN.clone(), MAC: k.st.keys.MAC.clone()}, nil
}

// MAC has the pad compute a MAC over data under the MAC key (see Pad). ErrNoKeys before the first sign-on.
func (k *Keys) MAC(ctx context.Context, data []byte) ([8]byte, error) {
	w, err := k.working()
	if err != nil {
		return [8]byte{}, err
	}
	return k.pad.MAC(ctx, w.MAC.Enc, data)
}

// EnterPIN has the pad capture a PIN under the PIN key. ErrNoKeys before the first sign-on; otherwise the errors of Pad.
func (k *Keys) EnterPIN(ctx context.Context, r PINEntry) (PINBlock, error) {
	w, err := k.working()
	if err != nil {
		return PINBlock{}, err
	}
	return k.pad.EnterPIN(ctx, w.PIN.Enc, r)
}

const sealVersion = 1

// Seal enciphers plain with AES-256-GCM under the sealing key: version byte 1, 12 random bytes, ciphertext, 16 bytes of tag. What
// comes out can be opened only with the same context (for example the key of the record it belongs to), so that it cannot be
// moved to another place.
func (k *Keys) Seal(plain, context []byte) ([]byte, error) {
	out := make([]byte, 1+k.aead.NonceSize(), 1+k.aead.NonceSize()+len(plain)+k.aead.Overhead())
	out[0] = sealVersion
	nonce := out[1:]
	if _, err := io.ReadFull(k.o.Rand, nonce); err != nil {
		return nil, fmt.Errorf("vault: no randomness for sealing: %w", err)
	}
	return k.aead.Seal(out, nonce, plain, context), nil
}

// Unseal opens what Seal made with the same context; anything else is ErrSealed.
func (k *Keys) Unseal(sealed, context []byte) ([]byte, error) {
	n := 1 + k.aead.NonceSize()
	if len(sealed) < n+k.aead.Overhead() || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	plain, err := k.aead.Open(nil, sealed[1:n], sealed[n:], context)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// FileError tells what is wrong with the file of Keys and where.
type FileError struct {
	Path   string
	Field  string
	Offset int // in bytes
	Reason string
}

func (e *FileError) Error() string {
	return fmt.Sprintf("vault: %s: %s at byte %d: %s", e.Path, e.Field, e.Offset, e.Reason)
}

// state is what the file holds.
type state struct {
	seal [32]byte
	has  bool
	keys WorkingKeys
}

// The file: "posdKEYS", version 1, sealing key (32), number of working keys (0 or 2), then PIN and MAC each as length, cryptogram,
// length, check value; at the end SHA-256 of all before it, against damage (not against an attacker).
const (
	fileMagic   = "posdKEYS"
	fileVersion = 1
	maxFile     = 256
)

func (s *state) append(b []byte) []byte {
	b = append(b, fileMagic...)
	b = append(b, fileVersion)
	b = append(b, s.seal[:]...)
	if !s.has {
		b = append(b, 0)
	} else {
		b = append(b, 2)
		for _, c := range []Cryptogram{s.keys.PIN, s.keys.MAC} {
			b = append(append(b, byte(len(c.Enc))), c.Enc...)
			b = append(append(b, byte(len(c.KCV))), c.KCV...)
		}
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// parseState reads a whole file. The digest is checked before any field after the version.
func parseState(b []byte) (s state, err error) {
	bad := func(field string, off int, reason string) (state, error) {
		return state{}, &FileError{Field: field, Offset: off, Reason: reason}
	}
	const head = len(fileMagic) + 1
	if len(b) > maxFile {
		return bad("file", maxFile, "too long")
	}
	if len(b) < head {
		return bad("magic", len(b), "the file ends here")
	}
	if string(b[:len(fileMagic)]) != fileMagic {
		return bad("magic", 0, "not a key file of posd")
	}
	if b[head-1] != fileVersion {
		return bad("version", head-1, fmt.Sprintf("version %d is unknown here", b[head-1]))
	}
	end := len(b) - sha256.Size
	if end < head {
		return bad("digest", len(b), "the file ends here")
	}
	if sum := sha256.Sum256(b[:end]); string(sum[:]) != string(b[end:]) {
		return bad("digest", end, "the file is damaged")
	}
	off := head
	take := func(n int) []byte {
		if n > end-off {
			return nil
		}
		off += n
		return b[off-n : off]
	}
	p := take(len(s.seal))
	if p == nil {
		return bad("sealing key", off, "the file ends here")
	}
	copy(s.seal[:], p)
	n := take(1)
	if n == nil || n[0] != 0 && n[0] != 2 {
		return bad("number of working keys", off, "not 0 or 2")
	}
	if n[0] == 2 {
		s.has = true
		for _, f := range []struct {
			name string
			dst  *[]byte
			ok   func(n int) bool
		}{
			{"PIN key", &s.keys.PIN.Enc, keyLen},
			{"PIN key check value", &s.keys.PIN.KCV, kcvLen},
			{"MAC key", &s.keys.MAC.Enc, keyLen},
			{"MAC key check value", &s.keys.MAC.KCV, kcvLen},
		} {
			l := take(1)
			if l == nil || !f.ok(int(l[0])) {
				return bad(f.name, off, "bad length")
			}
			v := take(int(l[0]))
			if v == nil {
				return bad(f.name, off, "the file ends here")
			}
			*f.dst = append([]byte(nil), v...)
		}
	}
	if off != end {
		return bad("end", off, "bytes too many")
	}
	return s, nil
}

func keyLen(n int) bool { return n == 8 || n == 16 || n == 24 }
func kcvLen(n int) bool { return n == 3 || n == 4 }

func readState(path string) (state, error) {
	f, err := os.Open(path)
	if err != nil {
		return state{}, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return state{}, err
	}
	if !fi.Mode().IsRegular() || fi.Mode().Perm()&0o077 != 0 {
		return state{}, &FileError{Path: path, Field: "mode", Reason: fmt.Sprintf("%v: only its owner may read the key file (chmod 600)", fi.Mode())}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	defer clear(b)
	if err != nil {
		return state{}, err
	}
	s, err := parseState(b)
	if fe := (*FileError)(nil); errors.As(err, &fe) {
		fe.Path = path
	}
	return s, err
}

// writeState replaces the file so that after a power cut there is the old or the new one, whole.
func writeState(dir string, s state) (err error) {
	b := s.append(make([]byte, 0, maxFile))
	defer clear(b)
	tmp := filepath.Join(dir, FileName+".new")
	if err = os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a power cut, perhaps with another mode
		return err
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("vault: key file: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, filepath.Join(dir, FileName))
	}
	if err != nil {
		_ = os.Remove(tmp)
		return fmt.Errorf("vault: key file: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("vault: key directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("vault: key directory: %w", err)
	}
	return nil
}
