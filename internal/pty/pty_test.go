package pty

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

func TestOpen(t *testing.T) {
	master, path, keep, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	defer master.Close()
	client, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("both directions, untranslated, no echo", func(t *testing.T) {
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		for _, way := range []struct{ from, to *os.File }{{client, master}, {master, client}} {
			if _, err := way.from.Write(all); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 256)
			if _, err := io.ReadFull(way.to, got); err != nil {
				t.Fatal(err)
			}
			if string(got) != string(all) {
				t.Errorf("bytes were changed on the way: % x", got)
			}
		}
	})
	t.Run("deadline on the master, before and after the client left", func(t *testing.T) {
		for range 2 {
			if err := master.SetReadDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if n, err := master.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read = %d, %v", n, err)
			}
			if err := client.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
				t.Fatal(err)
			}
		}
	})
	t.Run("close unblocks a read", func(t *testing.T) {
		if err := master.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		got := make(chan error)
		go func() {
			_, err := master.Read(make([]byte, 1))
			got <- err
		}()
		if err := master.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-got; !errors.Is(err, os.ErrClosed) {
			t.Errorf("Read = %v", err)
		}
	})
}
